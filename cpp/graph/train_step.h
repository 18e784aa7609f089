// One step of training in one call.
#pragma once

#include <span>

#include "graph/executor.h"
#include "optim/sgd.h"

namespace fastcnn {

// On the inputs that are set, with a plan that applies gradients: forward; backward from a gradient of 1 in
// every element of the seeded outputs, updating each parameter of a slot as soon as nothing reads it any more.
// It leaves the bytes that backward and sgd_step leave, but no gradients: those that the parameters held are
// dropped. Outputs can be read afterwards. Where a seeded output isn't finite, the step ends after forward, and
// parameters and gradients stay as they are. Throws Error for another plan, and as sgd_step does, before anything
// changes.
void train_step(Executor& executor, std::span<SgdSlot> slots, std::span<const SgdSettings> groups,
                RandomState random);

}  // namespace fastcnn
