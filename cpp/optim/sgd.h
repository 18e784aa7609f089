// Stochastic gradient descent with momentum as PyTorch writes it:
//   g' = g + weight_decay w;  v = momentum v + g';  w -= lr (nesterov ? g' + momentum v : v).
// One pass over memory per parameter, in parallel.
#pragma once

#include <span>
#include <vector>

#include "graph/parameter.h"

namespace fastcnn {

struct SgdSettings {
  double lr = 0.01;
  double momentum = 0.0;
  double weight_decay = 0.0;
  bool nesterov = false;
};

// One parameter with its velocity (a tensor like value; empty while momentum was never used).
struct SgdSlot {
  ParameterPtr parameter;
  Tensor velocity;
  int group = 0;
};

// Updates every slot whose parameter has a gradient, with the settings of its group. Makes velocities
// where momentum is not 0 and there are none; leaves them alone where it is 0. A parameter is in one
// slot at most. Throws ValueError for a group that isn't there, ShapeError for a gradient unlike its
// parameter, before anything changes.
void sgd_step(std::span<SgdSlot> slots, std::span<const SgdSettings> groups);

// What sgd_step does to a slot, from a gradient that lies elsewhere than in the parameter: the same bytes.
// Throws as it does.
void sgd_update(SgdSlot& slot, std::span<const SgdSettings> groups, ConstView gradient);

// Throws ValueError if a slot is of a group that isn't there.
void check_groups(std::span<const SgdSlot> slots, std::span<const SgdSettings> groups);

}  // namespace fastcnn
