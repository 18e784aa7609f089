#include "optim/sgd.h"

#include "core/error.h"

namespace fastcnn {

UpdateRule Sgd::rule_of(const Slot& slot) const {
  const SgdSettings& s = settings_of(slot);
  return SgdRule{.lr = s.lr,
                 .momentum = s.momentum,
                 .weight_decay = s.weight_decay,
                 .nesterov = s.nesterov,
                 .lr_in_velocity = s.lr_in_velocity,
                 .filter_norm = s.filter_norm};
}

bool Sgd::uses_state(const Slot& slot, std::size_t state) const {
  return state == 0 && settings_of(slot).momentum != 0;
}

void Sgd::check(const Slot& slot) const {
  const Shape& shape = slot.parameter->value.spec().shape;
  const bool has_rows = shape.rank() >= 2 && shape.rank() <= 4;
  if (settings_of(slot).filter_norm != 0 && !has_rows)
    throw ShapeError("sgd: filter_norm needs weights of filters or units, (c_out, ...) of rank 2 to 4, got shape " +
                     shape.str());
}

}  // namespace fastcnn
