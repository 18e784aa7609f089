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

template <class T>
void column_sums(const T* dz, std::int64_t rows, std::int64_t cols, T* db) {
  constexpr std::int64_t width = 128;  // columns of one task
  parallel_for((cols + width - 1) / width, rows * std::min(cols, width) * std::int64_t{sizeof(T)},
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
    if (args.dx[1]) {
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
