#include "optim/rmsprop.h"

namespace fastcnn {

UpdateRule Rmsprop::rule_of(const Slot& slot) const {
  const RmspropSettings& s = settings_of(slot);
  return RmspropRule{.lr = s.lr,
                     .alpha = s.alpha,
                     .eps = s.eps,
                     .weight_decay = s.weight_decay,
                     .momentum = s.momentum,
                     .centered = s.centered};
}

bool Rmsprop::uses_state(const Slot& slot, std::size_t state) const {
  const RmspropSettings& s = settings_of(slot);
  return state == 0 || (state == 1 && s.momentum != 0) || (state == 2 && s.centered);
}

}  // namespace fastcnn
