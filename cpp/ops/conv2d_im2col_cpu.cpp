// Windows are copied into the rows of a matrix, a cache-sized chunk of output pixels at a time, and
// multiplied by the weights.
#include <algorithm>

#include "cpu/kernels.h"
#include "ops/conv2d_algorithm.h"
#include "ops/conv2d_weight_gradient.h"

namespace fastcnn {
namespace {

constexpr std::int64_t enough_tasks = 16;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Output pixels whose columns are made at once: in the second-level cache if they fit, but enough of
// them to pay for packing the weights in each product.
template <class T>
std::int64_t chunk_pixels(const Conv2dProblem& p) {
  constexpr std::int64_t column_elements = (std::int64_t{512} << 10) / sizeof(T);
  return std::min(std::clamp<std::int64_t>(column_elements / p.depth(), 96, 1024), p.pixels());
}

// With many chunks, each is a task with columns of its own; with few, all columns are made first and the
// product is cut as the GEMM sees fit.
template <class T>
bool by_chunks(const Conv2dProblem& p) {
  return ceil_div(p.pixels(), chunk_pixels<T>(p)) * p.groups >= enough_tasks;
}

template <class T>
std::size_t column_bytes(const Conv2dProblem& p, std::int64_t pixels) {
  return static_cast<std::size_t>(pixels * p.depth()) * sizeof(T);
}

template <class T>
ScratchSize product_scratch(const Conv2dProblem& p) {
  if (by_chunks<T>(p)) return {.per_thread = column_bytes<T>(p, chunk_pixels<T>(p))};
  return {.shared = column_bytes<T>(p, p.pixels())};
}

template <class T>
void make_columns(const Conv2dProblem& p, std::int64_t group, const T* x, std::int64_t pixel, std::int64_t pixel_end,
                  std::int64_t tap, std::int64_t tap_end, T* col) {
  kernels<T>().im2col(p, p.c_in, p.group_in(), x + group * p.group_in(), pixel, pixel_end, tap, tap_end, col);
}

template <class T>
Gemm<T> columns_times_weights(const Conv2dProblem& p, std::int64_t group, std::int64_t pixel, std::int64_t pixels,
                              const T* col, const T* w, const Epilogue<T>& epilogue, T* y) {
  const std::int64_t channel = group * p.group_out();
  return {.trans_b = true,
          .m = pixels,
          .n = p.group_out(),
          .k = p.depth(),
          .a = col,
          .lda = p.depth(),
          .b = w + channel * p.depth(),
          .ldb = p.depth(),
          .c = y + pixel * p.c_out + channel,
          .ldc = p.c_out,
          .epilogue = {epilogue.bias != nullptr ? epilogue.bias + channel : nullptr, epilogue.activation}};
}

template <class T>
void convolve(const Conv2dProblem& p, const T* x, const T* w, const Epilogue<T>& epilogue, T* y, T* shared_columns,
              const Scratch& scratch) {
  if (by_chunks<T>(p)) {
    const std::int64_t chunk = chunk_pixels<T>(p);
    const std::int64_t ops = 2 * chunk * p.group_out() * p.depth();
    parallel_for(ceil_div(p.pixels(), chunk) * p.groups, ops, [&](std::int64_t task, int worker) {
      const std::int64_t group = task % p.groups;
      const std::int64_t pixel = task / p.groups * chunk;
      const std::int64_t pixel_end = std::min(pixel + chunk, p.pixels());
      T* col = scratch.of_worker<T>(worker);
      make_columns(p, group, x, pixel, pixel_end, 0, p.taps(), col);
      gemm(columns_times_weights(p, group, pixel, pixel_end - pixel, col, w, epilogue, y));
    });
    return;
  }
  for (std::int64_t group = 0; group < p.groups; ++group) {
    parallel_ranges(p.pixels(), 2 * p.depth() * sizeof(T), [&](std::int64_t pixel, std::int64_t pixel_end) {
      make_columns(p, group, x, pixel, pixel_end, 0, p.taps(), shared_columns + pixel * p.depth());
    });
    parallel_gemm(columns_times_weights(p, group, 0, p.pixels(), shared_columns, w, epilogue, y));
  }
}

// At stride 1 the gradient of x is a convolution of dy with the kernel turned round and its channels
// exchanged, padded to the full reach. It gathers where the columns' way scatters, but also multiplies
// the padding: worth it when y is about as large as x.
bool is_mirrored(const Conv2dProblem& p) {
  return p.stride_h == 1 && p.stride_w == 1 && 4 * p.h_in * p.w_in <= 5 * p.h_out * p.w_out;
}

Conv2dProblem mirror(const Conv2dProblem& p) {
  Conv2dProblem q = p;
  q.c_in = p.c_out;
  q.c_out = p.c_in;
  q.h_in = p.h_out;
  q.w_in = p.w_out;
  q.h_out = p.h_in;
  q.w_out = p.w_in;
  q.pad_h = (p.k_h - 1) * p.dilation_h - p.pad_h;
  q.pad_w = (p.k_w - 1) * p.dilation_w - p.pad_w;
  return q;
}

// (c_out, taps, group_in) to (c_in, taps in reverse, group_out), each group for itself.
template <class T>
void mirror_weights(const Conv2dProblem& p, const T* w, T* mirrored) {
  constexpr std::int64_t tile = 16;
  const std::int64_t in = p.group_in();
  const std::int64_t out = p.group_out();
  parallel_for(p.groups * p.taps(), 2 * in * out * sizeof(T), [&](std::int64_t task, int) {
    const std::int64_t group = task / p.taps();
    const std::int64_t tap = task % p.taps();
    const T* source = w + group * out * p.depth() + tap * in;
    T* target = mirrored + (group * in * p.taps() + p.taps() - 1 - tap) * out;
    for (std::int64_t ci = 0; ci < in; ci += tile)
      for (std::int64_t co = 0; co < out; ++co)
        for (std::int64_t i = ci; i < std::min(ci + tile, in); ++i)
          target[i * p.taps() * out + co] = source[co * p.depth() + i];
  });
}

// Rows of dx that one task owns: whole images when there are many, else bands of them. A band also
// computes the columns of rows beyond its border that reach into it, so it is kept tall.
std::int64_t band_rows(const Conv2dProblem& p) {
  const std::int64_t wanted = ceil_div(enough_tasks, p.n * p.groups);
  const std::int64_t reach = (p.k_h - 1) * p.dilation_h + 1;
  const std::int64_t bands = std::clamp<std::int64_t>(p.h_in / (2 * reach), 1, wanted);
  return ceil_div(p.h_in, bands);
}

template <class T>
void zero_channels(T* pixels, std::int64_t count, std::int64_t pixel_stride, std::int64_t channels) {
  if (channels == pixel_stride) {
    std::fill_n(pixels, count * channels, T{0});
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) std::fill_n(pixels + i * pixel_stride, channels, T{0});
}

// Image rows [begin, end) of dx, of one group and image: columns = dy * w, added where they came from.
template <class T>
void gather_band(const Conv2dProblem& p, std::int64_t image, std::int64_t group, std::int64_t begin, std::int64_t end,
                 const T* dy, const T* w, T* dx, T* col) {
  T* dx_group = dx + group * p.group_in();
  zero_channels(dx_group + (image * p.h_in + begin) * p.w_in * p.c_in, (end - begin) * p.w_in, p.c_in, p.group_in());
  const RowRange rows = windows_of_band(p, begin, end);
  const std::int64_t pixel_end = (image * p.h_out + rows.end) * p.w_out;
  const std::int64_t channel = group * p.group_out();
  const std::int64_t chunk = chunk_pixels<T>(p);
  for (std::int64_t pixel = (image * p.h_out + rows.begin) * p.w_out; pixel < pixel_end; pixel += chunk) {
    const std::int64_t pixels = std::min(chunk, pixel_end - pixel);
    gemm<T>({.m = pixels,
             .n = p.depth(),
             .k = p.group_out(),
             .a = dy + pixel * p.c_out + channel,
             .lda = p.c_out,
             .b = w + channel * p.depth(),
             .ldb = p.depth(),
             .c = col,
             .ldc = p.depth()});
    kernels<T>().col2im_add(p, p.c_in, p.group_in(), col, pixel, pixel + pixels, begin, end, dx_group);
  }
}

template <class T>
class Im2col final : public Conv2dAlgorithm<T> {
 public:
  std::string_view name() const override { return "im2col"; }

  ScratchSize scratch(const Conv2dProblem& p, Conv2dPass pass) const override {
    if (pass == Conv2dPass::forward) return product_scratch<T>(p);
    if (pass == Conv2dPass::backward_data) {
      if (!is_mirrored(p)) return {.per_thread = column_bytes<T>(p, chunk_pixels<T>(p))};
      ScratchSize size = product_scratch<T>(mirror(p));
      size.shared += mirrored_weight_bytes(p);
      return size;
    }
    const auto cut = WeightGradientCut::of<T>(p);
    return {.shared = cut.partial_elements(p) * sizeof(T),
            .per_thread = static_cast<std::size_t>(cut.chunk * cut.taps * p.group_in()) * sizeof(T)};
  }

  void forward(const Conv2dProblem& p, const T* x, const T* w, const Epilogue<T>& epilogue, T* y,
               const Scratch& scratch) const override {
    convolve(p, x, w, epilogue, y, scratch.template shared<T>(), scratch);
  }

  void backward_data(const Conv2dProblem& p, const T* dy, const T* w, T* dx, const Scratch& scratch) const override {
    if (is_mirrored(p)) {
      T* mirrored = scratch.template shared<T>();
      mirror_weights(p, w, mirrored);
      convolve(mirror(p), dy, mirrored, {}, dx, mirrored + mirrored_weight_bytes(p) / sizeof(T), scratch);
      return;
    }
    const std::int64_t rows = band_rows(p);
    const std::int64_t bands = ceil_div(p.h_in, rows);
    const std::int64_t ops = 2 * p.pixels() * p.weights() / (p.n * bands * p.groups);
    parallel_for(p.n * bands * p.groups, ops, [&](std::int64_t task, int worker) {
      const std::int64_t group = task % p.groups;
      const std::int64_t begin = task / p.groups % bands * rows;
      const std::int64_t image = task / p.groups / bands;
      gather_band(p, image, group, begin, std::min(begin + rows, p.h_in), dy, w, dx,
                  scratch.template of_worker<T>(worker));
    });
  }

  void backward_weights(const Conv2dProblem& p, const T* x, const T* dy, T* dw,
                        const Scratch& scratch) const override {
    weight_gradient<T>(p, WeightGradientCut::of<T>(p), dy, dw, scratch.template shared<T>(),
                       [&](int worker, std::int64_t group, std::int64_t pixel, std::int64_t pixel_end,
                           std::int64_t tap, std::int64_t tap_end) {
                         T* col = scratch.template of_worker<T>(worker);
                         make_columns(p, group, x, pixel, pixel_end, tap, tap_end, col);
                         return Columns<T>{col, (tap_end - tap) * p.group_in()};
                       });
  }

 private:
  static std::size_t mirrored_weight_bytes(const Conv2dProblem& p) {
    return align_up(static_cast<std::size_t>(p.weights()) * sizeof(T));
  }
};

}  // namespace

template <class T>
const Conv2dAlgorithm<T>& conv2d_im2col() {
  static const Im2col<T> algorithm;
  return algorithm;
}

template const Conv2dAlgorithm<float>& conv2d_im2col();
template const Conv2dAlgorithm<double>& conv2d_im2col();

}  // namespace fastcnn
