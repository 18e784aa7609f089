// What backend/cpu/families/ defines for each ISA; which of them exist in a build is CMake's FASTCNN_ISAS.
#pragma once

#include "backend/cpu/kernels.h"

namespace fastcnn {
namespace baseline {
template <class T>
void fill(Kernels<T>& table);
}
namespace avx2 {
template <class T>
void fill(Kernels<T>& table);
}
namespace avx512 {
template <class T>
void fill(Kernels<T>& table);
}
namespace neon {
template <class T>
void fill(Kernels<T>& table);
}
}  // namespace fastcnn
