// Adagrad as PyTorch writes it: graph/update_rule.h has the formula.
#pragma once

#include "optim/optimizer.h"

namespace fastcnn {

struct AdagradSettings {
  double lr = 1e-2;
  double lr_decay = 0.0;  // the rate of step t, from 0 on, is lr / (1 + t lr_decay)
  double weight_decay = 0.0;
  double initial_accumulator_value = 0.0;
  double eps = 1e-10;
};

class Adagrad final : public OptimizerOf<AdagradSettings> {
 public:
  using OptimizerOf::OptimizerOf;
  std::vector<std::string_view> state_names() const override { return {"sum"}; }

 protected:
  UpdateRule rule_of(const Slot& slot) const override;
  bool uses_state(const Slot&, std::size_t state) const override { return state == 0; }
  double initial_state(const Slot& slot) const override { return settings_of(slot).initial_accumulator_value; }
};

}  // namespace fastcnn
