#include "optim/adagrad.h"

namespace fastcnn {

UpdateRule Adagrad::rule_of(const Slot& slot) const {
  const AdagradSettings& s = settings_of(slot);
  const double lr = s.lr / (1 + static_cast<double>(slot.steps - 1) * s.lr_decay);
  return AdagradRule{.lr = lr, .eps = s.eps, .weight_decay = s.weight_decay};
}

}  // namespace fastcnn
