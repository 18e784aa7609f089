#include <algorithm>

#include "core/ceil_div.h"
#include "core/error.h"
#include "cpu/gemm.h"
#include "cpu/kernels.h"
#include "ops/activation.h"
#include "ops/channel_norm.h"
#include "ops/checks.h"
#include "ops/linear.h"
#include "ops/parallel.h"

namespace fastcnn {
namespace {

struct Extents {
  std::int64_t n, features, out;
};

Extents extents(const Spec& x, const Spec& y) { return {x.shape[0], x.shape[1], y.shape[1]}; }

// How the gradient of large weights is cut: into tiles that stay in a second-level cache until they are applied, with
// the part of x that they are made of.
struct WeightTiles {
  std::int64_t rows, cols;
  std::int64_t row_blocks, col_blocks;

  template <class T>
  static WeightTiles of(std::int64_t out, std::int64_t features) {
    constexpr std::int64_t cols = 2048 / sizeof(T), most_rows = 112;
    const std::int64_t panel = kernels<T>().gemm.rows;
    const std::int64_t rows = most_rows / panel * panel;
    return {rows, cols, ceil_div(out, rows), ceil_div(features, cols)};
  }
  std::int64_t count() const { return row_blocks * col_blocks; }
};

// The gradient leaves the caches before an update reads it.
bool are_large(const Spec& weights) { return weights.bytes() >= std::size_t{4} << 20; }

// dw = dz^T x, tile by tile: into dw or, where that is null, to `pieces`.
template <class T>
void weight_gradient_in_tiles(const Extents& e, const T* x, const T* dz, T* dw, GradientPieces* pieces,
                              const Scratch& scratch) {
  const WeightTiles tiles = WeightTiles::of<T>(e.out, e.features);
  parallel_for(tiles.count(), 2 * tiles.rows * tiles.cols * e.n, [&](std::int64_t task, int worker) {
    const std::int64_t row = task / tiles.col_blocks * tiles.rows;
    const std::int64_t col = task % tiles.col_blocks * tiles.cols;
    const std::int64_t rows = std::min(tiles.rows, e.out - row);
    const std::int64_t cols = std::min(tiles.cols, e.features - col);
    T* const c = dw != nullptr ? dw + row * e.features + col : scratch.of_worker<T>(worker);
    const std::int64_t ldc = dw != nullptr ? e.features : cols;
    gemm<T>({.trans_a = true,
             .m = rows,
             .n = cols,
             .k = e.n,
             .a = dz + row,
             .lda = e.out,
             .b = x + col,
             .ldb = e.features,
             .c = c,
             .ldc = ldc});
    if (dw == nullptr) pieces->take({.data = c, .ld = ldc, .row = row, .rows = rows, .col = col, .cols = cols});
  });
}

template <class T>
void column_sums(const T* dz, std::int64_t rows, std::int64_t cols, T* db) {
  constexpr std::int64_t width = 128;  // columns of one task
  parallel_for(ceil_div(cols, width), rows * std::min(cols, width) * std::int64_t{sizeof(T)},
               [&](std::int64_t task, int) {
                 const std::int64_t j = task * width;
                 kernels<T>().column_sums(dz + j, rows, std::min(width, cols - j), cols, db + j);
               });
}

}  // namespace

void Linear::prepare(std::span<const ConstView> x, std::byte* prepared) const {
  dispatch_floating(x[1].spec.dtype, [&]<class T>() {
    const std::int64_t out = x[1].spec.shape[0];
    T* const biases = reinterpret_cast<T*>(prepared);
    T* const weights = reinterpret_cast<T*>(prepared + align_up(static_cast<std::size_t>(out) * sizeof(T)));
    fold_channel_norm<T>(*options_.norm, {x, 3}, x[1].as<T>(), x[2].as<T>(), out, x[1].spec.shape[1], weights, biases);
  });
}

void Linear::forward(const ForwardArgs& args) const {
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    const auto [n, features, out] = extents(args.x[0].spec, args.y.spec);
    const T* weights = args.x[1].as<T>();
    const T* bias = args.x.size() > 2 ? args.x[2].as<T>() : nullptr;
    if (options_.norm) {
      if (args.prepared == nullptr) throw Error("linear with a batch norm needs what prepare() makes");
      bias = reinterpret_cast<const T*>(args.prepared);
      weights = reinterpret_cast<const T*>(args.prepared + align_up(static_cast<std::size_t>(out) * sizeof(T)));
    }
    const T* residual = options_.residual ? args.x.back().as<T>() : nullptr;
    parallel_gemm<T>({.trans_b = true,
                      .m = n,
                      .n = out,
                      .k = features,
                      .a = args.x[0].as<T>(),
                      .lda = features,
                      .b = weights,
                      .ldb = features,
                      .c = args.y.as<T>(),
                      .ldc = out,
                      .epilogue = {.bias = bias, .residual = residual, .activation = options_.activation}});
  });
}

ScratchSize Linear::scratch(Specs x, Phase phase) const {
  if (phase != Phase::backward || gives_pieces(x) < 0) return {};
  return dispatch_floating(x[1].dtype, [&]<class T>() -> ScratchSize {
    const WeightTiles tiles = WeightTiles::of<T>(x[1].shape[0], x[1].shape[1]);
    return {.per_thread = static_cast<std::size_t>(tiles.rows * tiles.cols) * sizeof(T)};
  });
}

int Linear::gives_pieces(Specs x) const { return are_large(x[1]) ? 1 : -1; }

// With dz = dy f'(y): dx = dz w, dw = dz^T x, db = column sums of dz; dz is the residual's gradient, too.
void Linear::backward(const BackwardArgs& args) const {
  dispatch_floating(args.dy.spec.dtype, [&]<class T>() {
    const auto [n, features, out] = extents(args.x[0].spec, args.dy.spec);
    T* dz = args.dy.as<T>();
    const Activation& f = options_.activation;
    if (f.kind != Activation::Kind::identity) {
      const T* y = args.y.as<T>();
      parallel_ranges(n * out, 3 * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
        kernels<T>().activation_gradient(f, nullptr, y ? y + begin : nullptr, dz + begin, dz + begin, end - begin);
      });
    }
    if (args.dx[0]) {
      parallel_gemm<T>({.m = n,
                        .n = features,
                        .k = out,
                        .a = dz,
                        .lda = out,
                        .b = args.x[1].as<T>(),
                        .ldb = features,
                        .c = args.dx[0].as<T>(),
                        .ldc = features});
    }
    if (are_large(args.x[1].spec) && (args.dx[1] || args.pieces != nullptr)) {
      weight_gradient_in_tiles<T>({n, features, out}, args.x[0].as<T>(), dz, args.dx[1].as<T>(), args.pieces,
                                  args.scratch);
    } else if (args.dx[1]) {
      parallel_gemm<T>({.trans_a = true,
                        .m = out,
                        .n = features,
                        .k = n,
                        .a = dz,
                        .lda = out,
                        .b = args.x[0].as<T>(),
                        .ldb = features,
                        .c = args.dx[1].as<T>(),
                        .ldc = features});
    }
    if (options_.residual && args.dx.size() == places()) {
      const View dresidual = args.dx.back();
      if (dresidual) parallel_copy(dz, dresidual.data, static_cast<std::int64_t>(dresidual.spec.bytes()));
    }
    if (args.dx.size() > 2 && args.dx[2]) column_sums(dz, n, out, args.dx[2].as<T>());
  });
}

}  // namespace fastcnn
