// The optimiser's state as Python holds it.
#pragma once

#include <vector>

#include "optim/sgd.h"

namespace fastcnn::bindings {

struct Sgd {
  std::vector<SgdSlot> slots;  // group by group, in the order given
  std::vector<SgdSettings> groups;
};

}  // namespace fastcnn::bindings
