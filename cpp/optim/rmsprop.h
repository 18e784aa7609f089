// RMSprop as PyTorch writes it: graph/update_rule.h has the formula.
#pragma once

#include "optim/optimizer.h"

namespace fastcnn {

struct RmspropSettings {
  double lr = 1e-2;
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0.0;
  double momentum = 0.0;
  bool centered = false;
};

class Rmsprop final : public OptimizerOf<RmspropSettings> {
 public:
  using OptimizerOf::OptimizerOf;
  std::vector<std::string_view> state_names() const override { return {"square_avg", "momentum_buffer", "grad_avg"}; }

 protected:
  UpdateRule rule_of(const Slot& slot) const override;
  bool uses_state(const Slot& slot, std::size_t state) const override;
};

}  // namespace fastcnn
