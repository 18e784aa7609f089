#include "backend/cpu/policy.h"

#include "backend/cpu/conv2d/algorithm.h"

namespace fastcnn {

Policy current_policy() { return {.gemm = gemm_provider(), .conv2d_algorithms = allowed_conv2d_algorithms()}; }

}  // namespace fastcnn
