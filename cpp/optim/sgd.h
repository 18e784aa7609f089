// Stochastic gradient descent with momentum: graph/update_rule.h has the formula.
#pragma once

#include "optim/optimizer.h"

namespace fastcnn {

struct SgdSettings {
  double lr = 0.01;
  double momentum = 0.0;
  double weight_decay = 0.0;
  bool nesterov = false;
  bool lr_in_velocity = false;
  double filter_norm = 0.0;  // where lr is 0 nothing is scaled; cuda-convnet2's wball
};

// State: "velocity", made where momentum is not 0 and left alone where it is. Throws ShapeError for a filter norm of a
// parameter that isn't of rank 2 to 4.
class Sgd final : public OptimizerOf<SgdSettings> {
 public:
  using OptimizerOf::OptimizerOf;
  std::vector<std::string_view> state_names() const override { return {"velocity"}; }

 protected:
  UpdateRule rule_of(const Slot& slot) const override;
  bool uses_state(const Slot& slot, std::size_t state) const override;
  void check(const Slot& slot) const override;
};

}  // namespace fastcnn
