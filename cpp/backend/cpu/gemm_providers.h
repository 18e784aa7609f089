// What a provider of backend/cpu/gemm.h defines. Only gemm.cpp and the providers include this.
#pragma once

#include <string>

#include "backend/cpu/gemm.h"

namespace fastcnn {

template <class T>
void gemm_native(const Gemm<T>& problem);
std::string native_details();

// The BLAS of FASTCNN_BLAS, at one thread: gemm_openblas.cpp, gemm_mkl.cpp or gemm_accelerate.cpp.
template <class T>
void gemm_blas(const Gemm<T>& problem);
std::string blas_details();

}  // namespace fastcnn
