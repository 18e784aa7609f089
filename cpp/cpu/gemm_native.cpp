// Our own GEMM, after Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008):
// blocks of b and a are packed so that the kernels of the ISA read them in order from the caches.
#include <algorithm>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

#include "core/allocator.h"
#include "cpu/gemm_providers.h"
#include "cpu/isa.h"
#include "cpu/kernels.h"

namespace fastcnn {
namespace {

// Up to so many rows of a, reading b in place is faster than packing it.
constexpr std::int64_t few_rows = 24;

std::int64_t ceil_div(std::int64_t x, std::int64_t y) { return (x + y - 1) / y; }

// The smallest step that needs no more steps over `extent` than `limit` does, a multiple of `unit`.
std::int64_t even_step(std::int64_t extent, std::int64_t limit, std::int64_t unit) {
  const std::int64_t steps = std::max<std::int64_t>(ceil_div(extent, limit), 1);
  return std::max<std::int64_t>(ceil_div(ceil_div(extent, steps), unit), 1) * unit;
}

// Bytes of one core's second-level cache, or a modest guess.
std::int64_t second_level_cache() {
  static const std::int64_t bytes = [] {
    std::int64_t reported = 0;
#ifdef _SC_LEVEL2_CACHE_SIZE
    reported = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    return std::clamp<std::int64_t>(reported > 0 ? reported : 512 * 1024, 256 * 1024, 2 * 1024 * 1024);
  }();
  return bytes;
}

// The block sizes. k's is a function of k alone: it decides how sums are rounded, so the same bits come
// out whatever the caches and the cut of c. Packed, a panel of a fits the first-level cache and a block
// of b takes a little less than half of the second.
template <class T>
struct Blocking {
  std::int64_t tile_rows, m, n, k;

  Blocking(const Gemm<T>& g, std::int64_t depth, const GemmKernels<T>& kernels) {
    constexpr std::int64_t size = sizeof(T);
    constexpr std::int64_t line_bytes = 1280;
    tile_rows = even_step(g.m, kernels.rows, 1);
    k = even_step(depth, line_bytes / size, 1);
    m = even_step(g.m, 224, tile_rows);
    n = even_step(g.n, second_level_cache() * 7 / 16 / (k * size), kernels.cols);
  }
};

// Grows to the largest block this thread has met.
class PackBuffer {
 public:
  template <class T>
  T* reserve(std::int64_t elements) {
    const std::size_t bytes = static_cast<std::size_t>(elements) * sizeof(T);
    if (bytes > size_) {
      data_.reset();
      size_ = 0;
      data_ = allocate(bytes);
      size_ = bytes;
    }
    return reinterpret_cast<T*>(data_.get());
  }

 private:
  Buffer data_;
  std::size_t size_ = 0;
};

thread_local PackBuffer packed_a;
thread_local PackBuffer packed_b;

}  // namespace

template <class T>
void gemm_native(const Gemm<T>& g) {
  if (g.m == 0 || g.n == 0) return;
  const GemmKernels<T>& kernel = kernels<T>().gemm;
  const std::int64_t depth = g.alpha == 0 ? 0 : g.k;
  if (g.m <= few_rows && !g.trans_a && g.trans_b && depth >= 4 * kernel.lanes) {
    kernel.multiply_few_rows(g.m, g.n, depth, g.alpha, g.a, g.lda, g.b, g.ldb, g.beta, g.c, g.ldc);
    kernels<T>().bias_activation(g.c, g.m, g.n, g.ldc, g.epilogue.bias, g.epilogue.residual,
                                 g.epilogue.activation);
    return;
  }
  const Blocking<T> block(g, depth, kernel);
  T* const a = packed_a.reserve<T>(block.m * block.k + kernel.lanes);
  T* const b = packed_b.reserve<T>(block.n * block.k + kernel.lanes);
  for (std::int64_t col = 0; col < g.n; col += block.n) {
    const std::int64_t cols = std::min(block.n, g.n - col);
    std::int64_t p = 0;
    do {  // once also for k = 0
      const std::int64_t k = std::min(block.k, depth - p);
      const bool last = p + k == depth;
      kernel.pack(g.trans_b, cols, k, g.trans_b ? g.b + col * g.ldb + p : g.b + p * g.ldb + col, g.ldb, kernel.cols,
                  kernel.lanes, b);
      for (std::int64_t row = 0; row < g.m; row += block.m) {
        const Epilogue<T> epilogue = g.epilogue.at(row * g.ldc + col, col);
        const std::int64_t rows = std::min(block.m, g.m - row);
        kernel.pack(!g.trans_a, rows, k, g.trans_a ? g.a + p * g.lda + row : g.a + row * g.lda + p, g.lda,
                    block.tile_rows, 1, a);
        kernel.multiply({.m = rows,
                         .n = cols,
                         .k = k,
                         .a = a,
                         .a_rows = block.tile_rows,
                         .b = b,
                         .ldb = 0,
                         .alpha = g.alpha,
                         .beta = p == 0 ? g.beta : T{1},
                         .c = g.c + row * g.ldc + col,
                         .ldc = g.ldc,
                         .finish = last,
                         .bias = epilogue.bias,
                         .residual = epilogue.residual,
                         .activation = epilogue.activation});
      }
      p += k;
    } while (p < depth);
  }
}

std::string native_details() {
  const std::string prefix = std::string(name_of(active_isa())) + "::gemm_";
  const auto tile = [](const auto& gemm) { return std::to_string(gemm.rows) + "x" + std::to_string(gemm.cols); };
  return prefix + "f32_" + tile(kernels<float>().gemm) + ", " + prefix + "f64_" + tile(kernels<double>().gemm);
}

template void gemm_native(const Gemm<float>& problem);
template void gemm_native(const Gemm<double>& problem);

}  // namespace fastcnn
