// Stochastic gradient descent with momentum as PyTorch writes it:
//   g' = g + weight_decay w;  v = momentum v + g';  w -= lr (nesterov ? g' + momentum v : v),
// or with the learning rate inside v, as cuda-convnet has it (Krizhevsky et al. 2012, section 5):
//   v = momentum v + lr g';  w -= nesterov ? lr g' + momentum v : v.
// One pass over memory per parameter, in parallel, and a second one where filters have a norm.
#pragma once

#include <span>
#include <vector>

#include "graph/parameter.h"
#include "core/gradient_pieces.h"

namespace fastcnn {

struct SgdSettings {
  double lr = 0.01;
  double momentum = 0.0;
  double weight_decay = 0.0;
  bool nesterov = false;
  bool lr_in_velocity = false;
  // After each update every row w[i], the weights of one filter or unit, is scaled to this Euclidean norm (a row of
  // zeros stays); 0: not. Where lr is 0 nothing is scaled. cuda-convnet2's wball.
  double filter_norm = 0.0;
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
// parameter and for a filter norm of one that isn't of rank 2 to 4, before anything changes.
void sgd_step(std::span<SgdSlot> slots, std::span<const SgdSettings> groups);

// What sgd_step does to a slot, from a gradient that lies elsewhere than in the parameter: the same bytes.
// Throws as it does.
void sgd_update(SgdSlot& slot, std::span<const SgdSettings> groups, ConstView gradient);

// What sgd_update does, for a gradient that comes in pieces: the same bytes.
class SgdInPieces {
 public:
  // Throws as sgd_step does for a group that isn't there and for a filter norm.
  SgdInPieces(SgdSlot& slot, std::span<const SgdSettings> groups);
  // On any thread.
  void update(const GradientPiece& piece) const;
  void finish() const;  // after the last piece

 private:
  const SgdSlot& slot_;
  const SgdSettings& settings_;
};

// Throws as sgd_step does for a group that isn't there and for a filter norm.
void check_groups(std::span<const SgdSlot> slots, std::span<const SgdSettings> groups);

}  // namespace fastcnn
