#include "optim/adam.h"

#include <cmath>

namespace fastcnn {

UpdateRule Adam::rule_of(const Slot& slot) const {
  const AdamSettings& s = settings_of(slot);
  const auto t = static_cast<double>(slot.steps);
  return AdamRule{.lr = s.lr,
                  .beta1 = s.beta1,
                  .beta2 = s.beta2,
                  .eps = s.eps,
                  .weight_decay = s.weight_decay,
                  .decoupled = s.decoupled,
                  .amsgrad = s.amsgrad,
                  .step_size = s.lr / (1 - std::pow(s.beta1, t)),
                  .root = std::sqrt(1 - std::pow(s.beta2, t))};
}

bool Adam::uses_state(const Slot& slot, std::size_t state) const {
  return state < 2 || settings_of(slot).amsgrad;
}

}  // namespace fastcnn
