// The one matrix multiplication of the library: c = f(alpha op(a) op(b) + beta c + bias + residual), row-major.
// A provider is one file, gemm_<provider>.cpp; nothing else calls a BLAS.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ops/activation_function.h"

namespace fastcnn {

enum class GemmProvider { native, openblas, mkl, accelerate };

std::string_view name_of(GemmProvider provider);
std::vector<GemmProvider> available_gemm_providers();

// FASTCNN_GEMM at the first call (throws ValueError, UnsupportedError as active_isa does), else the
// measured default for the ISA; set_gemm_provider changes it for the process.
GemmProvider gemm_provider();
void set_gemm_provider(GemmProvider provider);

// Applied to c after the product, while the block is in cache.
template <class Acc, class Out = Acc>
struct GemmEpilogue {
  const Acc* bias = nullptr;      // n elements, added to every row of c; null for none
  const Out* residual = nullptr;  // laid out as c, added to it; null for none
  Activation activation;

  bool is_empty() const {
    return bias == nullptr && residual == nullptr && activation.kind == Activation::Kind::identity;
  }
  // For the part of c that starts `offset` elements on, in column `col`.
  GemmEpilogue at(std::int64_t offset, std::int64_t col) const {
    return {bias != nullptr ? bias + col : nullptr, residual != nullptr ? residual + offset : nullptr, activation};
  }
};

// Operands are In, sums Acc, results Out.
template <class In, class Acc = In, class Out = Acc>
struct Gemm {
  GemmProvider provider = gemm_provider();
  bool trans_a = false;  // a is stored k x m
  bool trans_b = false;  // b is stored n x k
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;  // 0: c = f(beta c + bias + residual)
  Acc alpha = 1;
  const In* a = nullptr;
  std::int64_t lda = 0;
  const In* b = nullptr;
  std::int64_t ldb = 0;
  bool b_packed = false;  // b is what pack_b left: trans_b and ldb say nothing, the native provider does it
  const In* b_next = nullptr;  // packed columns that are likely to be multiplied next
  Acc beta = 0;  // 0: c is written without being read
  Out* c = nullptr;
  std::int64_t ldc = 0;
  GemmEpilogue<Acc, Out> epilogue{};
};

// b packed ahead, once for many products: pack_b fills packed_b_elements(n, k) elements of `packed`, which
// should be 64-byte aligned, with op(b). The form is that of active_isa().
template <class T>
std::int64_t packed_b_elements(std::int64_t n, std::int64_t k);
template <class T>
void pack_b(bool trans_b, std::int64_t n, std::int64_t k, const T* b, std::int64_t ldb, T* packed);

// On this thread.
template <class In, class Acc = In, class Out = Acc>
void gemm(const Gemm<In, Acc, Out>& problem);

// Cut into blocks of c by shape alone and spread over the pool; k is never cut.
template <class In, class Acc = In, class Out = Acc>
void parallel_gemm(const Gemm<In, Acc, Out>& problem);

// What the linked BLAS says of itself ("OpenBLAS 0.3.34 ... SkylakeX"), or the native tiles
// ("avx512::gemm_f32_14x32, ...").
std::string gemm_provider_details(GemmProvider provider);

}  // namespace fastcnn
