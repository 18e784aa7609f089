// One step of training in one call.
#pragma once

#include <span>

#include "graph/executor.h"
#include "optim/sgd.h"

namespace fastcnn {

// On the inputs that are set: forward; backward from a gradient of 1 in every element of the seeded
// outputs, dropping gradients that parameters held; then sgd_step. Outputs can be read afterwards.
void train_step(Executor& executor, std::span<SgdSlot> slots, std::span<const SgdSettings> groups,
                RandomState random);

}  // namespace fastcnn
