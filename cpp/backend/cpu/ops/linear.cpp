#include "ops/linear.h"

#include <algorithm>
#include <bit>
#include <memory>

#include "backend/cpu/gemm.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/op_kernel.h"
#include "backend/cpu/ops/channel_norm.h"
#include "core/ceil_div.h"
#include "core/error.h"
#include "core/parallel.h"

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
    constexpr std::int64_t cols = 2048 / sizeof(T), max_rows = 112;
    const std::int64_t panel = kernels<T>().gemm.rows;
    const std::int64_t rows = max_rows / panel * panel;
    return {rows, cols, ceil_div(out, rows), ceil_div(features, cols)};
  }
  std::int64_t count() const { return row_blocks * col_blocks; }
};

// The gradient leaves the caches before an update reads it.
bool are_large(const Spec& weights) { return weights.bytes() >= std::size_t{4} << 20; }

// dw = dz^T x, tile by tile: into dw or, where that is null, to `pieces`.
template <class T>
void weight_gradient_in_tiles(const Extents& e, GemmProvider provider, const T* x, const T* dz, T* dw, GradientPieces* pieces,
                              const Scratch& scratch) {
  const WeightTiles tiles = WeightTiles::of<T>(e.out, e.features);
  parallel_for(tiles.count(), 2 * tiles.rows * tiles.cols * e.n, [&](std::int64_t task, int worker) {
    const std::int64_t row = task / tiles.col_blocks * tiles.rows;
    const std::int64_t col = task % tiles.col_blocks * tiles.cols;
    const std::int64_t rows = std::min(tiles.rows, e.out - row);
    const std::int64_t cols = std::min(tiles.cols, e.features - col);
    T* const c = dw != nullptr ? dw + row * e.features + col : scratch.of_worker<T>(worker);
    const std::int64_t ldc = dw != nullptr ? e.features : cols;
    gemm<T>({.provider = provider,
             .trans_a = true,
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

class LinearKernel : public Kernel {
 public:
  explicit LinearKernel(const KernelRequest& request)
      : op_(std::static_pointer_cast<const Linear>(request.op)), gemm_(request.policy.gemm) {}

 protected:
  std::shared_ptr<const Linear> op_;
  GemmProvider gemm_;
};

// With a norm, the biases and weights that hold it are prepared.
template <class T>
class LinearForward final : public LinearKernel {
 public:
  explicit LinearForward(const KernelRequest& request) : LinearKernel(request) {
    if (op_->options().norm && request.pass == Pass::inference)
      memory_ = {.prepared = bias_bytes(request.x[1]) + request.x[1].bytes(), .prepared_from = 0b1111110};
  }

  Memory memory() const override { return memory_; }

  void prepare(std::span<const ConstView> x, std::byte* prepared, Stream&) const override {
    const std::int64_t out = x[1].spec.shape[0];
    T* const biases = reinterpret_cast<T*>(prepared);
    T* const weights = reinterpret_cast<T*>(prepared + bias_bytes(x[1].spec));
    fold_channel_norm<T>(*op_->options().norm, {x, 3}, x[1].as<T>(), x[2].as<T>(), out, x[1].spec.shape[1], weights,
                         biases);
  }

  std::string prepared_form() const override {
    const std::optional<ChannelNorm>& norm = op_->options().norm;
    return norm ? "linear norm " + std::to_string(std::bit_cast<std::uint64_t>(norm->eps)) : std::string();
  }

  void run(const StepArgs& args, Stream&) const override {
    const Linear::Options& options = op_->options();
    const auto [n, features, out] = extents(args.x[0].spec, args.y[0].spec);
    const T* weights = args.x[1].as<T>();
    const T* bias = args.x.size() > 2 ? args.x[2].as<T>() : nullptr;
    if (options.norm) {
      if (args.prepared == nullptr) throw Error("linear with a batch norm needs what prepare() makes");
      bias = reinterpret_cast<const T*>(args.prepared);
      weights = reinterpret_cast<const T*>(args.prepared + bias_bytes(args.x[1].spec));
    }
    const T* residual = options.residual ? args.x.back().as<T>() : nullptr;
    parallel_gemm<T>({.provider = gemm_,
                      .trans_b = true,
                      .m = n,
                      .n = out,
                      .k = features,
                      .a = args.x[0].as<T>(),
                      .lda = features,
                      .b = weights,
                      .ldb = features,
                      .c = args.y[0].as<T>(),
                      .ldc = out,
                      .epilogue = {.bias = bias, .residual = residual, .activation = options.activation}});
  }

 private:
  // What the biases take in front of prepared weights.
  static std::size_t bias_bytes(const Spec& w) { return align_up(static_cast<std::size_t>(w.shape[0]) * sizeof(T)); }

  Memory memory_;
};

// With dz = dy f'(y): dx = dz w, dw = dz^T x, db = column sums of dz; dz is the residual's gradient, too.
template <class T>
class LinearBackward final : public LinearKernel {
 public:
  explicit LinearBackward(const KernelRequest& request)
      : LinearKernel(request), has_large_weights_(are_large(request.x[1])) {
    if (!has_large_weights_) return;
    const WeightTiles tiles = WeightTiles::of<T>(request.x[1].shape[0], request.x[1].shape[1]);
    memory_.scratch.per_thread = static_cast<std::size_t>(tiles.rows * tiles.cols) * sizeof(T);
  }

  Memory memory() const override { return memory_; }
  int gives_pieces() const override { return has_large_weights_ ? 1 : -1; }

  void run(const StepArgs& args, Stream&) const override {
    const Linear::Options& options = op_->options();
    const auto [n, features, out] = extents(args.x[0].spec, args.dy[0].spec);
    T* dz = args.dy[0].as<T>();
    const Activation& f = options.activation;
    if (f.kind != Activation::Kind::identity) {
      const T* y = args.y[0].as<T>();
      parallel_ranges(n * out, 3 * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
        kernels<T>().activation_gradient(f, nullptr, y ? y + begin : nullptr, dz + begin, dz + begin, end - begin);
      });
    }
    if (args.dx[0]) {
      parallel_gemm<T>({.provider = gemm_,
                        .m = n,
                        .n = features,
                        .k = out,
                        .a = dz,
                        .lda = out,
                        .b = args.x[1].as<T>(),
                        .ldb = features,
                        .c = args.dx[0].as<T>(),
                        .ldc = features});
    }
    if (has_large_weights_ && (args.dx[1] || args.pieces != nullptr)) {
      weight_gradient_in_tiles<T>({n, features, out}, gemm_, args.x[0].as<T>(), dz, args.dx[1].as<T>(), args.pieces,
                                  args.scratch);
    } else if (args.dx[1]) {
      parallel_gemm<T>({.provider = gemm_,
                        .trans_a = true,
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
    if (options.residual && args.dx.size() == op_->places()) {
      const View dresidual = args.dx.back();
      if (dresidual) parallel_copy(dz, dresidual.data, static_cast<std::int64_t>(dresidual.spec.bytes()));
    }
    if (args.dx.size() > 2 && args.dx[2]) column_sums(dz, n, out, args.dx[2].as<T>());
  }

 private:
  bool has_large_weights_;
  Memory memory_;
};

}  // namespace

KernelPtr make_linear(const KernelRequest& request) {
  return dispatch_floating(request.x[0].dtype, [&]<class T>() -> KernelPtr {
    if (request.pass == Pass::backward) return std::make_unique<LinearBackward<T>>(request);
    return std::make_unique<LinearForward<T>>(request);
  });
}

}  // namespace fastcnn
