// Families of kernels. Each file of this folder is compiled once per ISA, where CMake defines
// FASTCNN_ISA_NAMESPACE (avx2) and FASTCNN_VEC_HEADER ("backend/cpu/isa/vec_avx2.h"), and fills in its part of
// that ISA's table.
#pragma once

#include FASTCNN_VEC_HEADER

#include "backend/cpu/kernels.h"

// float32 for every ISA; float64, which is there for gradient checks, for the baseline alone.
#ifdef FASTCNN_FLOAT64
#define FASTCNN_INSTANTIATE(add_family)             \
  template void add_family(Kernels<float>& table);  \
  template void add_family(Kernels<double>& table);
#else
#define FASTCNN_INSTANTIATE(add_family) template void add_family(Kernels<float>& table);
#endif

namespace fastcnn::FASTCNN_ISA_NAMESPACE {

template <class T>
void add_depthwise(Kernels<T>& table);
template <class T>
void add_elementwise(Kernels<T>& table);
template <class T>
void add_gemm(Kernels<T>& table);
template <class T>
void add_im2col(Kernels<T>& table);
template <class T>
void add_implicit(Kernels<T>& table);
template <class T>
void add_normalization(Kernels<T>& table);
template <class T>
void add_pooling(Kernels<T>& table);
template <class T>
void add_softmax(Kernels<T>& table);
template <class T>
void add_winograd(Kernels<T>& table);

}  // namespace fastcnn::FASTCNN_ISA_NAMESPACE
