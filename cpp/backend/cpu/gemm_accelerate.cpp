// Apple's Accelerate.
#define ACCELERATE_NEW_LAPACK  // the headers without it are deprecated
#include <Accelerate/Accelerate.h>

#include "backend/cpu/gemm_cblas.h"
#include "backend/cpu/gemm_providers.h"

namespace fastcnn {
namespace {

CBLAS_TRANSPOSE flag(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }

// Threads are the pool's business. The switch came with macOS 15; before it Accelerate decides itself.
void use_one_thread() {
  if (__builtin_available(macOS 15.0, *)) BLASSetThreading(BLAS_THREADING_SINGLE_THREADED);
}

}  // namespace

template <>
void gemm_blas(const Gemm<float>& problem) {
  use_one_thread();
  gemm_cblas(problem, [](bool trans_a, bool trans_b, auto... rest) {
    cblas_sgemm(CblasRowMajor, flag(trans_a), flag(trans_b), rest...);
  });
}

template <>
void gemm_blas(const Gemm<double>& problem) {
  use_one_thread();
  gemm_cblas(problem, [](bool trans_a, bool trans_b, auto... rest) {
    cblas_dgemm(CblasRowMajor, flag(trans_a), flag(trans_b), rest...);
  });
}

std::string blas_details() { return "Accelerate"; }

}  // namespace fastcnn
