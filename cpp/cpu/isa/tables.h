// The tables that the spines define; which of them exist in a build is CMake's FASTCNN_ISAS.
#pragma once

#include "cpu/kernels.h"

namespace fastcnn {
namespace baseline {
extern const Kernels<float> kernels_float32;
extern const Kernels<double> kernels_float64;
}  // namespace baseline
namespace avx2 {
extern const Kernels<float> kernels_float32;
extern const Kernels<double> kernels_float64;
}  // namespace avx2
namespace avx512 {
extern const Kernels<float> kernels_float32;
extern const Kernels<double> kernels_float64;
}  // namespace avx512
namespace neon {
extern const Kernels<float> kernels_float32;
extern const Kernels<double> kernels_float64;
}  // namespace neon
}  // namespace fastcnn
