// Our own GEMM, after Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008):
// blocks of b and a are packed so that the kernels of the ISA read them in order from the caches.
#include <algorithm>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

#include "core/allocator.h"
#include "core/ceil_div.h"
#include "backend/cpu/gemm_providers.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/kernels.h"

namespace fastcnn {
namespace {

// Up to so many rows of a, reading b in place is faster than packing it.
constexpr std::int64_t few_rows = 24;

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
// out whatever the caches and the cut of c. A panel of a fits the first-level cache and a block of b takes a
// little less than half of the second.
template <class T>
struct Blocking {
  std::int64_t panel_rows, n, k;

  Blocking(const Gemm<T>& g, std::int64_t depth, const GemmKernels<T>& kernel) {
    constexpr std::int64_t size = sizeof(T);
    constexpr std::int64_t line_bytes = 2048;
    panel_rows = even_step(g.m, kernel.rows, 1);
    k = even_step(depth, line_bytes / size, 1);
    n = even_step(g.n, second_level_cache() * 7 / 16 / (k * size), kernel.cols);
  }
};

// Lines this far apart, or a multiple of it, fall into the same sets of the first-level cache.
template <class T>
bool strides_by(std::int64_t bytes, std::int64_t ld) {
  return ld * static_cast<std::int64_t>(sizeof(T)) % bytes == 0;
}

// Reading in place is faster until many columns have paid for the packing and the rows of a panel would
// fall into one set.
template <class T>
bool packing_a_pays(const Gemm<T>& g) {
  return g.n > 256 && strides_by<T>(4096, g.lda);
}

// No processor foresees a whole panel's rows. Where they would fall into one set, they would push out those in use.
template <class T>
bool fetching_a_pays(const Gemm<T>& g) {
  return !strides_by<T>(4096, g.lda);
}

// As packing_a_pays with rows for columns. A column-wise a in place takes from the same sets. A b out of a matrix much
// larger than the second-level cache comes from afar for every panel of a, and in place in pieces that no processor
// foresees.
template <class T>
bool packing_b_pays(const Gemm<T>& g, std::int64_t panel_rows) {
  if (g.trans_b || g.m > 256) return true;
  if (g.k * g.ldb * static_cast<std::int64_t>(sizeof(T)) > 4 * second_level_cache()) return g.m > 2 * panel_rows;
  return g.m > 64 && strides_by<T>(g.trans_a ? 1024 : 4096, g.ldb);
}

// Columns that were packed long ago come from afar. Where they meet few panels, these stay in half of the second-level
// cache, and each tile of columns is fetched while the one before is multiplied; for many it comes soon enough.
template <class T>
bool going_by_columns_pays(const Gemm<T>& g, std::int64_t panel_rows) {
  return g.b_packed && !g.trans_a && g.m <= 16 * panel_rows &&
         g.m * g.k * static_cast<std::int64_t>(sizeof(T)) <= second_level_cache() / 2;
}

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
  if (g.m <= few_rows && !g.b_packed && !g.trans_a && g.trans_b && depth >= 4 * kernel.lanes) {
    kernel.multiply_few_rows(g.m, g.n, depth, g.alpha, g.a, g.lda, g.b, g.ldb, g.beta, g.c, g.ldc);
    kernels<T>().bias_activation(g.c, g.m, g.n, g.ldc, g.epilogue.bias, g.epilogue.residual,
                                 g.epilogue.activation);
    return;
  }
  const Blocking<T> block(g, depth, kernel);
  const bool pack_a = packing_a_pays(g);
  const bool fetch_a = !pack_a && !g.trans_a && fetching_a_pays(g);
  const bool pack_b = !g.b_packed && packing_b_pays(g, block.panel_rows);
  const bool by_columns = !pack_a && going_by_columns_pays(g, block.panel_rows);
  const bool in_place = !g.b_packed && !pack_b;
  const std::int64_t tail = in_place ? g.n % kernel.lanes : 0;
  T* const panel = pack_a ? packed_a.reserve<T>(block.panel_rows * block.k + kernel.lanes) : nullptr;
  T* const b = pack_b       ? packed_b.reserve<T>(block.n * block.k + kernel.lanes)
               : tail != 0 ? packed_b.reserve<T>(kernel.lanes * (block.k + 1))
                            : nullptr;
  for (std::int64_t col = 0; col < g.n; col += block.n) {
    const std::int64_t cols = std::min(block.n, g.n - col);
    const GemmEpilogue<T> epilogue = g.epilogue.at(col, col);
    std::int64_t p = 0;
    do {  // once also for k = 0
      const std::int64_t k = std::min(block.k, depth - p);
      GemmBlock<T> part{.m = g.m,
                        .n = cols,
                        .k = k,
                        .trans_a = g.trans_a,
                        .a = g.a + (g.trans_a ? p * g.lda : p),
                        .lda = g.lda,
                        .panel_rows = block.panel_rows,
                        .panel = panel,
                        .fetch_a = fetch_a,
                        .b = b,
                        .ldb = 0,
                        .b_depth = k,
                        .b_from = 0,
                        .b_tail = b,
                        .by_columns = by_columns,
                        .b_next = nullptr,
                        .alpha = g.alpha,
                        .beta = p == 0 ? g.beta : T{1},
                        .c = g.c + col,
                        .ldc = g.ldc,
                        .finish = p + k == depth,
                        .bias = epilogue.bias,
                        .residual = epilogue.residual,
                        .activation = epilogue.activation,
                        .next_k_contiguous = g.trans_b,
                        .next_extent = 0,
                        .next = nullptr,
                        .ld_next = g.ldb};
      if (pack_b) {
        const auto source = [&](std::int64_t j, std::int64_t from) {
          return g.b + (g.trans_b ? j * g.ldb + from : from * g.ldb + j);
        };
        kernel.pack(g.trans_b, cols, k, source(col, p), g.ldb, kernel.cols, kernel.lanes, b);
        if (p + k < depth) {
          part.next_extent = cols;
          part.next = source(col, p + k);
        } else if (col + cols < g.n) {
          part.next_extent = std::min(block.n, g.n - col - cols);
          part.next = source(col + cols, 0);
        }
      } else if (g.b_packed) {
        part.b = g.b + col * g.k;
        part.b_depth = g.k;
        part.b_from = p;
        if (p + k < depth) {
          part.b_next = part.b + (p + k) * std::min(kernel.cols, ceil_div(cols, kernel.lanes) * kernel.lanes);
        } else {
          part.b_next = col + cols < g.n ? part.b + cols * g.k : g.b_next;
        }
      } else {
        part.b = g.b + p * g.ldb + col;
        part.ldb = g.ldb;
        if (col + cols == g.n && tail != 0) {
          kernel.pack(false, tail, k, part.b + cols - tail, g.ldb, kernel.lanes, kernel.lanes, b);
        }
      }
      kernel.multiply(part);
      p += k;
    } while (p < depth);
  }
}

template <class T>
std::int64_t packed_b_elements(std::int64_t n, std::int64_t k) {
  const std::int64_t lanes = kernels<T>().gemm.lanes;
  return ceil_div(n, lanes) * lanes * k;
}

template <class T>
void pack_b(bool trans_b, std::int64_t n, std::int64_t k, const T* b, std::int64_t ldb, T* packed) {
  const GemmKernels<T>& kernel = kernels<T>().gemm;
  kernel.pack(trans_b, n, k, b, ldb, kernel.cols, kernel.lanes, packed);
}

std::string native_details() {
  const auto kernel = [](Isa isa, const char* type, const auto& gemm) {
    std::string name(name_of(isa));
    name.append("::gemm_").append(type).append("_").append(std::to_string(gemm.rows));
    return name.append("x").append(std::to_string(gemm.cols));
  };
  return kernel(active_isa(), "f32", kernels<float>().gemm) + ", " +
         kernel(Isa::baseline, "f64", kernels<double>().gemm);
}

template void gemm_native(const Gemm<float>& problem);
template void gemm_native(const Gemm<double>& problem);
template std::int64_t packed_b_elements<float>(std::int64_t n, std::int64_t k);
template std::int64_t packed_b_elements<double>(std::int64_t n, std::int64_t k);
template void pack_b(bool trans_b, std::int64_t n, std::int64_t k, const float* b, std::int64_t ldb, float* packed);
template void pack_b(bool trans_b, std::int64_t n, std::int64_t k, const double* b, std::int64_t ldb, double* packed);

}  // namespace fastcnn
