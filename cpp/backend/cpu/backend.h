// The host as a device: kernels for its instruction set, run by the library's own threads.
#pragma once

#include "backend/cpu/policy.h"
#include "graph/backend.h"

namespace fastcnn {

// Of a policy. The same object as long as the policy is the same as at the call before.
BackendPtr cpu_backend(const Policy& policy = current_policy());

}  // namespace fastcnn
