// oneMKL, linked sequential (third_party/mkl): threads are the pool's business.
#include <mkl_cblas.h>
#include <mkl_service.h>

#include "backend/cpu/gemm_cblas.h"
#include "backend/cpu/gemm_providers.h"

namespace fastcnn {
namespace {

CBLAS_TRANSPOSE flag(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }

}  // namespace

template <>
void gemm_blas(const Gemm<float>& problem) {
  gemm_cblas(problem, [](bool trans_a, bool trans_b, auto... rest) {
    cblas_sgemm(CblasRowMajor, flag(trans_a), flag(trans_b), rest...);
  });
}

template <>
void gemm_blas(const Gemm<double>& problem) {
  gemm_cblas(problem, [](bool trans_a, bool trans_b, auto... rest) {
    cblas_dgemm(CblasRowMajor, flag(trans_a), flag(trans_b), rest...);
  });
}

std::string blas_details() {
  char text[256] = {};
  mkl_get_version_string(text, sizeof(text));
  return text;
}

}  // namespace fastcnn
