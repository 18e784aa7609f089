#include <cblas.h>

#include "backend/cpu/gemm_cblas.h"
#include "backend/cpu/gemm_providers.h"

namespace fastcnn {
namespace {

CBLAS_TRANSPOSE flag(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }

// Threads are the pool's business; OpenBLAS would start one per core of its own.
void use_one_thread() {
  static const bool once = [] {
    scipy_openblas_set_num_threads(1);
    return true;
  }();
  static_cast<void>(once);
}

}  // namespace

template <>
void gemm_blas(const Gemm<float>& problem) {
  use_one_thread();
  gemm_cblas(problem, [](bool trans_a, bool trans_b, auto... rest) {
    scipy_cblas_sgemm(CblasRowMajor, flag(trans_a), flag(trans_b), rest...);
  });
}

template <>
void gemm_blas(const Gemm<double>& problem) {
  use_one_thread();
  gemm_cblas(problem, [](bool trans_a, bool trans_b, auto... rest) {
    scipy_cblas_dgemm(CblasRowMajor, flag(trans_a), flag(trans_b), rest...);
  });
}

std::string blas_details() {
  return std::string(scipy_openblas_get_config()) + " (" + scipy_openblas_get_corename() + ")";
}

}  // namespace fastcnn
