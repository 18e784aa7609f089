// One step of training in one call.
#pragma once

#include "graph/executor.h"

namespace fastcnn {

// On the inputs that are set, with a plan that applies gradients: forward; backward from a gradient of 1 in
// every element of the seeded outputs, with `update` changing each parameter as soon as nothing reads it any more.
// It leaves the bytes that backward and the update of all gradients leave, but no gradients: those that the parameters
// held are dropped. Outputs can be read afterwards. Where a seeded output isn't finite, the step ends after forward, and
// parameters and gradients stay as they are. Throws Error for another plan, and what the update refuses, before anything
// changes.
void train_step(Executor& executor, ParameterUpdate& update, RandomState random);

}  // namespace fastcnn
