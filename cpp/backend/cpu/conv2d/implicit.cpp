// Windows are read where they lie in the image: the kernels broadcast elements of x, so that nothing is
// gained by copying windows together. Only where windows reach beyond the sides of the image, or channels of
// a group are few, the rows of a task are copied, once, with zeros at their ends. Rows above and below the
// image cost nothing: their taps are passed over.
#include <algorithm>

#include "core/ceil_div.h"
#include "core/thread_pool.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/conv2d/algorithm.h"
#include "backend/cpu/conv2d/implicit_correlation.h"
#include "backend/cpu/conv2d/implicit_gradient.h"

namespace fastcnn {
namespace {

using namespace implicit;

template <class T>
Correlation<T> forward_correlation(const Conv2dProblem& p) {
  return {.g = p,
          .n = p.n,
          .groups = p.groups,
          .c_in = p.group_in(),
          .c_out = p.group_out(),
          .y_image = p.h_out * p.w_out * p.c_out,
          .y_row = p.w_out * p.c_out,
          .y_pixel = p.c_out};
}

// One axis of backward-data. The rows first, first + stride, ... of dx meet the taps tap, tap + stride, ...
// of the kernel, turned round: row t of them is the sum over j of dy[t - pad + j dilation] w[tap of j].
struct Phase1d {
  std::int64_t first, count;  // of dx
  std::int64_t tap, taps;     // of w; taps may be 0
  std::int64_t pad;

  Phase1d(std::int64_t phase, std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t padding,
          std::int64_t dilation)
      : first(phase),
        count(phase < in ? ceil_div(in - phase, stride) : 0),
        tap((phase + padding) % stride),
        taps(tap < kernel ? ceil_div(kernel - tap, stride) : 0),
        pad((taps - 1) * dilation - (phase + padding - tap) / stride) {}
};

// Backward-data at the rows and columns of dx that leave the remainders `h`, `w` by the stride.
struct Phase2d {
  Phase1d rows, cols;

  Phase2d(const Conv2dProblem& p, std::int64_t h, std::int64_t w)
      : rows(h, p.h_in, p.k_h, p.stride_h, p.pad_h, p.dilation_h),
        cols(w, p.w_in, p.k_w, p.stride_w, p.pad_w, p.dilation_w) {}
  bool is_empty() const { return rows.count == 0 || cols.count == 0; }
  bool is_zero() const { return rows.taps == 0 || cols.taps == 0; }

  template <class T>
  Correlation<T> correlation(const Conv2dProblem& p) const {
    const std::int64_t row = p.w_in * p.c_in;
    return {.g = {.h_in = p.h_out,
                  .w_in = p.w_out,
                  .h_out = rows.count,
                  .w_out = cols.count,
                  .k_h = rows.taps,
                  .k_w = cols.taps,
                  .pad_h = rows.pad,
                  .pad_w = cols.pad,
                  .dilation_h = p.dilation_h,
                  .dilation_w = p.dilation_w},
            .n = p.n,
            .groups = p.groups,
            .c_in = p.group_out(),
            .c_out = p.group_in(),
            .y_image = p.h_in * row,
            .y_row = p.stride_h * row,
            .y_pixel = p.stride_w * p.c_in};
  }
  std::int64_t offset(const Conv2dProblem& p) const { return (rows.first * p.w_in + cols.first) * p.c_in; }
};

// Calls body(phase) for the phases that hold pixels of dx.
template <class F>
void for_phases(const Conv2dProblem& p, F body) {
  for (std::int64_t h = 0; h < p.stride_h; ++h) {
    for (std::int64_t w = 0; w < p.stride_w; ++w) {
      const Phase2d phase(p, h, w);
      if (!phase.is_empty()) body(phase);
    }
  }
}

template <class T>
void zero_phase(const Conv2dProblem& p, const Phase2d& phase, T* dx) {
  const Correlation<T> q = phase.correlation<T>(p);
  parallel_for(p.n, q.g.h_out * q.g.w_out * p.c_in, [&](std::int64_t image, int) {
    for (std::int64_t row = 0; row < q.g.h_out; ++row) {
      for (std::int64_t col = 0; col < q.g.w_out; ++col)
        std::fill_n(dx + image * q.y_image + row * q.y_row + col * q.y_pixel, p.c_in, T{0});
    }
  });
}

// The weights of forward: [group][tile][tap, c_in][channels of the tile].
template <class T>
void pack_forward(const Conv2dProblem& p, const T* w, T* packed) {
  const std::int64_t cols = kernels<T>().implicit.cols;
  const std::int64_t lanes = kernels<T>().implicit.lanes;
  const std::int64_t tiles = ceil_div(p.group_out(), cols);
  parallel_for(p.groups * tiles, 8 * cols * p.depth(), [&](std::int64_t task, int) {
    const std::int64_t group = task / tiles;
    const std::int64_t col = task % tiles * cols;
    kernels<T>().gemm.pack(true, std::min(cols, p.group_out() - col), p.depth(),
                               w + (group * p.group_out() + col) * p.depth(), p.depth(), cols, lanes,
                               packed + (group * padded<T>(p.group_out()) + col) * p.depth());
  });
}

// Of a phase of backward-data: [group][tile][tap of the turned kernel, c_out][channels of the tile].
template <class T>
void pack_phase(const Conv2dProblem& p, const Phase2d& phase, const T* w, T* packed) {
  const std::int64_t cols = kernels<T>().implicit.cols;
  const std::int64_t lanes = kernels<T>().implicit.lanes;
  const std::int64_t tiles = ceil_div(p.group_in(), cols);
  const std::int64_t depth = phase.rows.taps * phase.cols.taps * p.group_out();
  parallel_for(p.groups * tiles, 8 * cols * depth, [&](std::int64_t task, int) {
    const std::int64_t group = task / tiles;
    const std::int64_t col = task % tiles * cols;
    const std::int64_t channels = std::min(cols, p.group_in() - col);
    T* target = packed + (group * padded<T>(p.group_in()) + col) * depth;
    for (std::int64_t h = phase.rows.taps - 1; h >= 0; --h) {
      for (std::int64_t v = phase.cols.taps - 1; v >= 0; --v) {
        const std::int64_t tap = (phase.rows.tap + h * p.stride_h) * p.k_w + phase.cols.tap + v * p.stride_w;
        const T* source = w + group * p.group_out() * p.depth() + tap * p.group_in() + col;
        kernels<T>().gemm.pack(false, channels, p.group_out(), source, p.depth(), cols, lanes, target);
        target += p.group_out() * std::min(cols, padded<T>(channels));
      }
    }
  });
}

template <class T>
class Implicit final : public Conv2dAlgorithm<T> {
 public:
  std::string_view name() const override { return "implicit"; }

  std::string_view refusal(const Conv2dProblem& p, Conv2dPass pass) const override {
    if (pass == Conv2dPass::backward_data && (p.stride_h > 1 || p.stride_w > 1) &&
        (p.dilation_h > 1 || p.dilation_w > 1))
      return "stride and dilation at once";
    return {};
  }

  ScratchSize scratch(const Conv2dProblem& p, Conv2dPass pass) const override {
    ScratchSize size;
    if (pass == Conv2dPass::backward_weights) {
      const ImplicitGradientCut<T> cut(p);
      size.shared = cut.partial_elements(p) * sizeof(T);
      size.per_thread = image_rows_bytes<T>(p, p.groups, p.group_in(), cut.piece.images, cut.piece.rows);
    }
    if (pass == Conv2dPass::forward) size.per_thread = correlation_bytes(forward_correlation<T>(p));
    if (pass == Conv2dPass::backward_data) {
      for_phases(p, [&](const Phase2d& phase) {
        if (!phase.is_zero())
          size.per_thread = std::max(size.per_thread, correlation_bytes(phase.correlation<T>(p)));
      });
    }
    return size;
  }

  std::int64_t prepared_elements(const Conv2dProblem& p, Conv2dPass pass) const override {
    if (pass == Conv2dPass::forward) return forward_correlation<T>(p).packed_weights();
    if (pass == Conv2dPass::backward_weights) return 0;
    std::int64_t elements = 0;
    for_phases(p, [&](const Phase2d& phase) { elements += phase.correlation<T>(p).packed_weights(); });
    return elements;
  }

  void prepare(const Conv2dProblem& p, Conv2dPass pass, const T* w, T* prepared) const override {
    if (pass == Conv2dPass::forward) return pack_forward(p, w, prepared);
    for_phases(p, [&](const Phase2d& phase) {
      pack_phase(p, phase, w, prepared);
      prepared += phase.correlation<T>(p).packed_weights();
    });
  }

  std::int64_t statistics_parts(const Conv2dProblem& p) const override {
    const Cut<T> cut(forward_correlation<T>(p));
    return cut.image_cuts * cut.row_cuts;
  }

  void forward(const Conv2dProblem& p, const T* x, const T* w, const GemmEpilogue<T>& epilogue, T* y,
               const Scratch& scratch, const BatchStatistics<T>* statistics) const override {
    correlate(forward_correlation<T>(p), x, w, epilogue, y, scratch, statistics);
  }

  void backward_data(const Conv2dProblem& p, const T* dy, const T* w, T* dx,
                     const Scratch& scratch) const override {
    for_phases(p, [&](const Phase2d& phase) {
      T* first = dx + phase.offset(p);
      if (phase.is_zero()) return zero_phase(p, phase, first);
      const Correlation<T> q = phase.correlation<T>(p);
      correlate(q, dy, w, {}, first, scratch);
      w += q.packed_weights();
    });
  }

  void backward_weights(const Conv2dProblem& p, const T* x, const T* dy, T* dw,
                        const Scratch& scratch) const override {
    implicit_weight_gradient(p, x, dy, dw, scratch);
  }
};

}  // namespace

template <class T>
const Conv2dAlgorithm<T>& conv2d_implicit() {
  static const Implicit<T> algorithm;
  return algorithm;
}

template const Conv2dAlgorithm<float>& conv2d_implicit();
template const Conv2dAlgorithm<double>& conv2d_implicit();

}  // namespace fastcnn
