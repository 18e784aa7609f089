// One matrix product per output position: the windows there, a row per image, times the weights of the position.
// Positions are the tasks, so every weight and its gradient has one owner and goes by once.
#include "ops/locally_connected2d.h"

#include <algorithm>
#include <memory>

#include "backend/cpu/conv2d/algorithm.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/op_kernel.h"
#include "backend/cpu/ops/empty_batch.h"
#include "core/ceil_div.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

// Images whose windows are copied at once: they stay in the second-level cache beside the weights.
template <class T>
std::int64_t chunk_images(const Conv2dProblem& p) {
  constexpr std::int64_t column_elements = (std::int64_t{512} << 10) / sizeof(T);
  const std::int64_t most = std::max<std::int64_t>(column_elements / p.depth(), 32);
  const std::int64_t chunks = ceil_div(p.n, most);
  return ceil_div(p.n, chunks);
}

// Of the windows of a chunk.
template <class T>
std::size_t column_bytes(const Conv2dProblem& p) {
  return static_cast<std::size_t>(chunk_images<T>(p) * p.depth()) * sizeof(T);
}

std::int64_t positions(const Conv2dProblem& p) { return p.h_out * p.w_out; }

// One output position, and the rows of taps there that meet the image: the others are left out of the products.
struct Position {
  Windows2d windows;  // over a batch with no output position but this
  std::int64_t tap, tap_end;

  Position(const Conv2dProblem& p, std::int64_t position) : windows(p) {
    windows.h_out = windows.w_out = 1;
    windows.pad_h -= position / p.w_out * p.stride_h;
    windows.pad_w -= position % p.w_out * p.stride_w;
    const auto row = [&](std::int64_t kh) { return kh * p.dilation_h - windows.pad_h; };
    std::int64_t begin = 0, end = p.k_h;
    while (begin < end && row(begin) < 0) ++begin;
    while (end > begin && row(end - 1) >= p.h_in) --end;
    tap = begin * p.k_w;
    tap_end = end * p.k_w;
  }

  std::int64_t depth(const Conv2dProblem& p) const { return (tap_end - tap) * p.group_in(); }
  // The windows of the images [image, image_end): a row each, depth() long.
  template <class T>
  void copy_windows(const Conv2dProblem& p, std::int64_t group, const T* x, std::int64_t image, std::int64_t image_end,
                    T* col) const {
    kernels<T>().im2col(windows, p.c_in, p.group_in(), x + group * p.group_in(), image, image_end, tap, tap_end, col);
  }
  // Where the rows of the taps that count begin among the weights of all positions.
  std::int64_t weights(const Conv2dProblem& p, std::int64_t position, std::int64_t group) const {
    return position * p.weights() + tap * p.group_in() * p.c_out + group * p.group_out();
  }
};

// Calls body(group, image, image_end) for every chunk of images.
template <class T, class F>
void for_chunks(const Conv2dProblem& p, F body) {
  const std::int64_t chunk = chunk_images<T>(p);
  for (std::int64_t group = 0; group < p.groups; ++group)
    for (std::int64_t image = 0; image < p.n; image += chunk) body(group, image, std::min(image + chunk, p.n));
}

// dz = dy f'(y), position by position: a matrix (n, c_out) each. And db, its column sums, unless that is null.
template <class T>
void gather_gradient(const Conv2dProblem& p, const Activation& f, const T* y, const T* dy, T* dz, T* db) {
  const std::int64_t step = positions(p) * p.c_out;
  parallel_for(positions(p), 3 * p.n * p.c_out * sizeof(T), [&](std::int64_t position, int) {
    const std::int64_t first = position * p.c_out;
    T* const rows = dz + first * p.n;
    for (std::int64_t image = 0; image < p.n; ++image) {
      const std::int64_t at = image * step + first;
      kernels<T>().activation_gradient(f, nullptr, y != nullptr ? y + at : nullptr, dy + at, rows + image * p.c_out,
                                       p.c_out);
    }
    if (db != nullptr) kernels<T>().column_sums(rows, p.n, p.c_out, p.c_out, db + first);
  });
}

// dx pixel by pixel: the sum over the taps that meet it of dz, where their windows are, times their weights.
template <class T>
void gradient_of_input(const Conv2dProblem& p, const T* dz, const T* w, T* dx, const Scratch& scratch) {
  const std::int64_t pixels = p.h_in * p.w_in;
  // The output position whose tap k meets index i along an axis; -1 for none.
  const auto meeting = [](std::int64_t i, std::int64_t k, std::int64_t pad, std::int64_t dilation, std::int64_t stride,
                          std::int64_t out) {
    const std::int64_t start = i + pad - k * dilation;
    return start >= 0 && start % stride == 0 && start / stride < out ? start / stride : -1;
  };
  parallel_for(pixels, 2 * p.n * p.weights() * positions(p) / pixels, [&](std::int64_t pixel, int worker) {
    T* const sum = scratch.template of_worker<T>(worker);
    bool any = false;
    for (std::int64_t kh = 0; kh < p.k_h; ++kh) {
      const std::int64_t row = meeting(pixel / p.w_in, kh, p.pad_h, p.dilation_h, p.stride_h, p.h_out);
      for (std::int64_t kw = 0; kw < p.k_w; ++kw) {
        const std::int64_t col = meeting(pixel % p.w_in, kw, p.pad_w, p.dilation_w, p.stride_w, p.w_out);
        if (row < 0 || col < 0) continue;
        const std::int64_t position = row * p.w_out + col;
        const T* const taps = w + position * p.weights() + (kh * p.k_w + kw) * p.group_in() * p.c_out;
        for (std::int64_t group = 0; group < p.groups; ++group) {
          gemm<T>({.provider = p.gemm,
                   .trans_b = true,
                   .m = p.n,
                   .n = p.group_in(),
                   .k = p.group_out(),
                   .a = dz + position * p.n * p.c_out + group * p.group_out(),
                   .lda = p.c_out,
                   .b = taps + group * p.group_out(),
                   .ldb = p.c_out,
                   .beta = any ? T{1} : T{0},
                   .c = sum + group * p.group_in(),
                   .ldc = p.c_in});
        }
        any = true;
      }
    }
    if (!any) std::fill_n(sum, p.n * p.c_in, T{0});
    for (std::int64_t image = 0; image < p.n; ++image)
      std::copy_n(sum + image * p.c_in, p.c_in, dx + (image * pixels + pixel) * p.c_in);
  });
}

template <class T>
void gradient_of_weights(const Conv2dProblem& p, const T* x, const T* dz, T* dw, const Scratch& scratch) {
  parallel_for(positions(p), 2 * p.n * p.weights(), [&](std::int64_t position, int worker) {
    const Position at(p, position);
    T* const own = dw + position * p.weights();
    const std::int64_t tap_weights = p.group_in() * p.c_out;
    std::fill_n(own, at.tap * tap_weights, T{0});
    std::fill_n(own + at.tap_end * tap_weights, (p.taps() - at.tap_end) * tap_weights, T{0});
    T* const col = scratch.template of_worker<T>(worker);
    for_chunks<T>(p, [&](std::int64_t group, std::int64_t image, std::int64_t image_end) {
      at.copy_windows(p, group, x, image, image_end, col);
      gemm<T>({.provider = p.gemm,
               .trans_a = true,
               .m = at.depth(p),
               .n = p.group_out(),
               .k = image_end - image,
               .a = col,
               .lda = at.depth(p),
               .b = dz + (position * p.n + image) * p.c_out + group * p.group_out(),
               .ldb = p.c_out,
               .beta = image == 0 ? T{0} : T{1},
               .c = dw + at.weights(p, position, group),
               .ldc = p.c_out});
    });
  });
}

template <class T>
class LocallyConnected2dForward final : public Kernel {
 public:
  LocallyConnected2dForward(const Conv2dProblem& p, const Activation& f) : p_(p), f_(f) {}

  Memory memory() const override { return {.scratch = {.per_thread = column_bytes<T>(p_)}}; }

  void run(const StepArgs& args, Stream&) const override {
    const Conv2dProblem& p = p_;
    const T* const x = args.x[0].as<T>();
    const T* const w = args.x[1].as<T>();
    const T* const b = args.x.size() > 2 ? args.x[2].as<T>() : nullptr;
    T* const y = args.y[0].as<T>();
    parallel_for(positions(p), 2 * p.n * p.weights(), [&](std::int64_t position, int worker) {
      const Position at(p, position);
      T* const col = args.scratch.of_worker<T>(worker);
      for_chunks<T>(p, [&](std::int64_t group, std::int64_t image, std::int64_t image_end) {
        at.copy_windows(p, group, x, image, image_end, col);
        const std::int64_t channel = position * p.c_out + group * p.group_out();
        gemm<T>({.provider = p.gemm,
                 .m = image_end - image,
                 .n = p.group_out(),
                 .k = at.depth(p),
                 .a = col,
                 .lda = at.depth(p),
                 .b = w + at.weights(p, position, group),
                 .ldb = p.c_out,
                 .c = y + image * positions(p) * p.c_out + channel,
                 .ldc = positions(p) * p.c_out,
                 .epilogue = {.bias = b != nullptr ? b + channel : nullptr, .activation = f_}});
      });
    });
  }

 private:
  Conv2dProblem p_;
  Activation f_;
};

template <class T>
class LocallyConnected2dBackward final : public Kernel {
 public:
  LocallyConnected2dBackward(const Conv2dProblem& p, const Activation& f) : p_(p), f_(f) {}

  Memory memory() const override {
    const auto sums = static_cast<std::size_t>(p_.n * p_.c_in) * sizeof(T);
    return {.scratch = {.shared = static_cast<std::size_t>(p_.pixels() * p_.c_out) * sizeof(T),
                        .per_thread = std::max(column_bytes<T>(p_), sums)}};
  }

  void run(const StepArgs& args, Stream&) const override {
    T* const dx = args.dx[0].as<T>();
    T* const dw = args.dx[1].as<T>();
    T* const db = args.dx.size() > 2 ? args.dx[2].as<T>() : nullptr;
    T* const dz = args.scratch.shared<T>();
    gather_gradient(p_, f_, args.y[0].as<T>(), args.dy[0].as<T>(), dz, db);
    if (dx != nullptr) gradient_of_input(p_, dz, args.x[1].as<T>(), dx, args.scratch);
    if (dw != nullptr) gradient_of_weights(p_, args.x[0].as<T>(), dz, dw, args.scratch);
  }

 private:
  Conv2dProblem p_;
  Activation f_;
};

}  // namespace

KernelPtr make_locally_connected2d(const KernelRequest& request) {
  const auto& op = request.as<LocallyConnected2d>();
  const Conv2dProblem p{{op.extents(request.x[0].shape, request.x[1].shape)}, request.policy.gemm};
  if (p.n == 0) return make_empty_batch();
  return dispatch_floating(request.x[0].dtype, [&]<class T>() -> KernelPtr {
    const Activation& f = op.options().activation;
    if (request.pass == Pass::backward) return std::make_unique<LocallyConnected2dBackward<T>>(p, f);
    return std::make_unique<LocallyConnected2dForward<T>>(p, f);
  });
}

}  // namespace fastcnn
