#include "backend/cpu/gemm.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "core/ceil_div.h"
#include "core/error.h"
#include "core/thread_pool.h"
#include "backend/cpu/gemm_providers.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/kernels.h"

namespace fastcnn {
namespace {

constexpr GemmProvider all_providers[] = {GemmProvider::native, GemmProvider::openblas, GemmProvider::mkl,
                                          GemmProvider::accelerate};

bool is_built(GemmProvider provider) {
  switch (provider) {
    case GemmProvider::native: return true;
#ifdef FASTCNN_BLAS_OPENBLAS
    case GemmProvider::openblas: return true;
#endif
#ifdef FASTCNN_BLAS_MKL
    case GemmProvider::mkl: return true;
#endif
#ifdef FASTCNN_BLAS_ACCELERATE
    case GemmProvider::accelerate: return true;
#endif
    default: return false;
  }
}

std::string names_of_available() {
  std::string names;
  for (GemmProvider provider : available_gemm_providers()) {
    names.append(names.empty() ? "" : ", ").append(name_of(provider));
  }
  return names;
}

void require_built(GemmProvider provider, const std::string& who) {
  if (is_built(provider)) return;
  throw UnsupportedError(who + ": this build doesn't hold that provider; available here: " +
                         names_of_available());
}

// What bench_gemm says, one thread. Native is ahead or level on products that fit the second-level cache, on fully
// connected layers forward (up to 6 times on few rows, 1.2 times on 64 with AVX-512) and on their dw (up to 2.8 times).
// OpenBLAS is ahead on 1 to 10 columns (AVX-512, up to 1.9 times), by some 4% on squares of 1024, and with AVX2 by up
// to a fifth on dx of 16 to 64 rows of large layers. On the others there are no tuned kernels of ours.
GemmProvider faster_here() {
  const bool tuned = active_isa() == Isa::avx512 || active_isa() == Isa::avx2;
  return tuned ? GemmProvider::native : available_gemm_providers().back();
}

GemmProvider choose() {
  const char* wanted = std::getenv("FASTCNN_GEMM");
  if (wanted == nullptr || *wanted == '\0') return faster_here();
  const std::string who = "FASTCNN_GEMM=" + std::string(wanted);
  for (GemmProvider provider : all_providers) {
    if (name_of(provider) != wanted) continue;
    require_built(provider, who);
    return provider;
  }
  throw ValueError(who + ": unknown GEMM provider; available here: " + names_of_available());
}

std::atomic<GemmProvider>& current_provider() {
  static std::atomic<GemmProvider> provider{choose()};
  return provider;
}

// Extents of the blocks of c that parallel_gemm makes: a function of the shape alone. Few rows are halved exactly, so
// that both halves stay with the cores that wrote them; of many, blocks are whole panels.
struct Cut {
  std::int64_t rows;
  std::int64_t cols;
};

// Halves the longer side until there are enough blocks for many cores, or a block is so small that it would
// not pay for itself: two tiles of b's columns, two panels of a, more rows where each block packs b again.
template <class In, class Acc, class Out>
Cut cut(const Gemm<In, Acc, Out>& g) {
  constexpr std::int64_t enough_blocks = 64;
  constexpr std::int64_t min_ops = 1 << 19;
  constexpr std::int64_t few_rows = 1024;
  const GemmKernels<In>& kernel = kernels<In>().gemm;
  const std::int64_t min_rows = g.trans_b && !g.b_packed ? 64 : 2 * kernel.rows;
  const std::int64_t min_cols = 2 * kernel.cols;
  const auto half = [&](std::int64_t side, std::int64_t tile) { return ceil_div(ceil_div(side, 2), tile) * tile; };
  Cut block{g.m, g.n};
  while (ceil_div(g.m, block.rows) * ceil_div(g.n, block.cols) < enough_blocks) {
    const std::int64_t ops = (2 * block.rows + 4) * block.cols * g.k;  // with what it costs to read b
    if (ops < 2 * min_ops) break;
    const bool rows = block.rows >= 2 * min_rows;
    const bool cols = block.cols >= 2 * min_cols;
    if (rows && (block.rows >= block.cols || !cols)) {
      block.rows = half(block.rows, g.m <= few_rows ? 1 : kernel.rows);
    } else if (cols) {
      block.cols = half(block.cols, kernel.cols);
    } else {
      break;
    }
  }
  return block;
}

// Whether neighbouring blocks, which one thread computes, had better share rows than columns: rows of a and c are in the
// caches of the thread that wrote or will read them, so only the smaller side should be read by all.
template <class In, class Acc, class Out>
bool keeps_rows_together(const Gemm<In, Acc, Out>& g) {
  constexpr std::int64_t cache_bytes = 2 << 20;
  return g.k * g.n <= g.m * (g.k + g.n) && g.k * g.n * static_cast<std::int64_t>(sizeof(In)) <= cache_bytes;
}

}  // namespace

std::string_view name_of(GemmProvider provider) {
  switch (provider) {
    case GemmProvider::native: return "native";
    case GemmProvider::openblas: return "openblas";
    case GemmProvider::mkl: return "mkl";
    case GemmProvider::accelerate: return "accelerate";
  }
  return "?";
}

std::vector<GemmProvider> available_gemm_providers() {
  std::vector<GemmProvider> providers;
  for (GemmProvider provider : all_providers) {
    if (is_built(provider)) providers.push_back(provider);
  }
  return providers;
}

GemmProvider gemm_provider() { return current_provider().load(std::memory_order_relaxed); }

void set_gemm_provider(GemmProvider provider) {
  require_built(provider, std::string(name_of(provider)));
  current_provider().store(provider, std::memory_order_relaxed);
}

std::string gemm_provider_details(GemmProvider provider) {
  require_built(provider, std::string(name_of(provider)));
#ifdef FASTCNN_HAS_BLAS
  if (provider != GemmProvider::native) return blas_details();
#endif
  return native_details();
}

template <class In, class Acc, class Out>
void gemm(const Gemm<In, Acc, Out>& problem) {
#ifdef FASTCNN_HAS_BLAS
  if (!problem.b_packed && problem.provider != GemmProvider::native) return gemm_blas(problem);
#endif
  gemm_native(problem);
}

template <class In, class Acc, class Out>
void parallel_gemm(const Gemm<In, Acc, Out>& g) {
  if (g.m == 0 || g.n == 0) return;
  const Cut block = cut(g);
  const std::int64_t row_blocks = ceil_div(g.m, block.rows);
  const std::int64_t col_blocks = ceil_div(g.n, block.cols);
  const bool by_rows = keeps_rows_together(g);
  parallel_for(row_blocks * col_blocks, 2 * block.rows * block.cols * g.k, [&](std::int64_t task, int) {
    const std::int64_t row = (by_rows ? task / col_blocks : task % row_blocks) * block.rows;
    const std::int64_t col = (by_rows ? task % col_blocks : task / row_blocks) * block.cols;
    Gemm<In, Acc, Out> part = g;
    part.m = std::min(block.rows, g.m - row);
    part.n = std::min(block.cols, g.n - col);
    part.a += g.trans_a ? row : row * g.lda;
    part.b += g.b_packed ? col * g.k : g.trans_b ? col * g.ldb : col;
    if (g.b_packed && col + part.n < g.n) part.b_next = part.b + part.n * g.k;
    part.c += row * g.ldc + col;
    part.epilogue = g.epilogue.at(row * g.ldc + col, col);
    gemm(part);
  });
}

template void gemm(const Gemm<float>& problem);
template void gemm(const Gemm<double>& problem);
template void parallel_gemm(const Gemm<float>& problem);
template void parallel_gemm(const Gemm<double>& problem);

}  // namespace fastcnn
