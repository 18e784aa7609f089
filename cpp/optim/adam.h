// Adam and AdamW as PyTorch writes them: graph/update_rule.h has the formula.
#pragma once

#include "optim/optimizer.h"

namespace fastcnn {

struct AdamSettings {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.0;
  bool decoupled = false;  // the weight decay, as AdamW has it
  bool amsgrad = false;
};

class Adam final : public OptimizerOf<AdamSettings> {
 public:
  using OptimizerOf::OptimizerOf;
  std::vector<std::string_view> state_names() const override { return {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}; }

 protected:
  UpdateRule rule_of(const Slot& slot) const override;
  bool uses_state(const Slot& slot, std::size_t state) const override;
};

}  // namespace fastcnn
