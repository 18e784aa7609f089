// One kernel per channel: memory bounds it, so rows of pixels go by once and channels are the vectors. The
// gradient of the input is such a convolution of dy again, per residue class of positions modulo the stride.
#include <algorithm>
#include <numeric>

#include "core/ceil_div.h"
#include "core/thread_pool.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/conv2d/algorithm.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

// Along one axis, the taps k of a window that reach the input positions i of one residue class modulo the
// stride, and the outputs that they belong to: i = output stride - pad + k dilation.
struct TapsOfClass {
  std::int64_t first = 0;  // k, in steps of `step`
  std::int64_t step = 1;
  std::int64_t count = 0;
  std::int64_t output = 0;       // of the first tap for the first position of the class
  std::int64_t output_step = 1;  // how much earlier the output of the next tap is

  TapsOfClass(std::int64_t position, std::int64_t taps, std::int64_t stride, std::int64_t pad,
              std::int64_t dilation) {
    const std::int64_t common = std::gcd(stride, dilation);
    step = stride / common;
    output_step = dilation / common;
    while (first < taps && (position + pad - first * dilation) % stride != 0) ++first;
    if (first == taps) return;
    count = ceil_div(taps - first, step);
    output = (position + pad - first * dilation) / stride;
  }
};

// The taps of [0, taps) whose position start + tap * step lies in [0, extent).
struct TapsInside {
  std::int64_t begin = 0, end = 0;

  TapsInside(std::int64_t start, std::int64_t taps, std::int64_t step, std::int64_t extent) {
    const auto inside = [&](std::int64_t tap) {
      const std::int64_t position = start + tap * step;
      return position >= 0 && position < extent;
    };
    while (begin < taps && !inside(begin)) ++begin;
    end = begin;
    while (end < taps && inside(end)) ++end;
  }
  std::int64_t count() const { return end - begin; }
};

// How what a pass writes is cut: bands of the rows of all images, enough for many cores and so long that what they read
// twice, where they meet, is little. Channels only of small images, which lie in the second-level cache where another
// op left them: of few enough channels the rows under a window then stay in the first.
template <class T>
struct RowsCut {
  std::int64_t rows, band_rows, bands;
  std::int64_t channels, block_channels, blocks;

  // `rows_of_image` rows of `elements_of_row` elements are written.
  RowsCut(const Conv2dProblem& p, std::int64_t rows_of_image, std::int64_t elements_of_row, bool whole_pixels)
      : rows(p.n * rows_of_image), channels(p.c_in) {
    block_channels = whole_pixels ? channels : channels_in_cache(p);
    blocks = ceil_div(channels, block_channels);
    if (blocks > 1) {
      band_rows = p.n == 1 ? ceil_div(rows, 2) : rows_of_image;
    } else {
      const std::int64_t elements = std::clamp<std::int64_t>(rows * elements_of_row / 64, 1 << 14, 1 << 16);
      band_rows = even_share(rows, std::max<std::int64_t>(1, elements / elements_of_row));
    }
    bands = ceil_div(rows, band_rows);
  }
  std::int64_t tasks() const { return bands * blocks; }

  // Calls body(row, first channel, channels) for the rows of each task, and then finish(task, first row, rows).
  template <class F, class Finish>
  void for_rows(std::int64_t row_ops, F body, Finish finish) const {
    parallel_for(tasks(), row_ops * band_rows / blocks, [&](std::int64_t task, int) {
      const std::int64_t channel = task % blocks * block_channels;
      const std::int64_t begin = task / blocks * band_rows;
      const std::int64_t end = std::min(rows, begin + band_rows);
      for (std::int64_t row = begin; row < end; ++row) body(row, channel, std::min(block_channels, channels - channel));
      finish(task, begin, end - begin);
    });
  }

 private:
  static std::int64_t channels_in_cache(const Conv2dProblem& p) {
    constexpr std::int64_t second_level_bytes = 1 << 20, first_level_bytes = 28 << 10;
    constexpr std::int64_t size = sizeof(T), unit = 32, least = 64;
    if (p.n * p.h_in * p.w_in * p.c_in * size > second_level_bytes) return p.c_in;
    const std::int64_t most = first_level_bytes / ((p.k_h * p.w_in + p.w_out) * size);
    if (most < least || p.c_in <= most) return p.c_in;
    return ceil_div(ceil_div(p.c_in, ceil_div(p.c_in, most)), unit) * unit;
  }
};

// How the gradient of the weights is cut: channels, and bands of rows of dy, whose sums are added in order.
struct WeightsCut {
  std::int64_t channels;  // of a block
  std::int64_t channel_blocks;
  std::int64_t band_rows;
  std::int64_t bands;

  explicit WeightsCut(const Conv2dProblem& p) {
    constexpr std::int64_t enough_tasks = 32, min_elements = 1 << 14;
    channels = std::min<std::int64_t>(p.c_in, 256);
    channel_blocks = ceil_div(p.c_in, channels);
    const std::int64_t rows = p.n * p.h_out;
    const std::int64_t min_rows = ceil_div(min_elements, p.w_out * channels);
    band_rows = std::max(min_rows, ceil_div(rows * channel_blocks, enough_tasks));
    bands = ceil_div(rows, band_rows);
  }
  std::int64_t sums(const Conv2dProblem& p) const { return (bands + 1) * p.taps() * p.c_in; }
};

template <class T>
class Depthwise final : public Conv2dAlgorithm<T> {
 public:
  std::string_view name() const override { return "depthwise"; }

  std::string_view refusal(const Conv2dProblem& p, Conv2dPass) const override {
    if (p.groups != p.c_in) return "groups != channels";
    if (p.c_out != p.c_in) return "there are several outputs of a channel";
    return {};
  }

  ScratchSize scratch(const Conv2dProblem& p, Conv2dPass pass) const override {
    if (pass != Conv2dPass::backward_weights) return {};
    return {.shared = static_cast<std::size_t>(WeightsCut(p).sums(p)) * sizeof(T)};
  }

  // By tap and then by channel.
  std::int64_t prepared_elements(const Conv2dProblem& p, Conv2dPass pass) const override {
    return pass == Conv2dPass::backward_weights ? 0 : p.weights();
  }
  void prepare(const Conv2dProblem& p, Conv2dPass, const T* w, T* prepared) const override {
    for (std::int64_t c = 0; c < p.c_in; ++c)
      for (std::int64_t tap = 0; tap < p.taps(); ++tap) prepared[tap * p.c_in + c] = w[c * p.taps() + tap];
  }

  std::int64_t statistics_parts(const Conv2dProblem& p) const override { return output_cut(p, true).tasks(); }

  void forward(const Conv2dProblem& p, const T* x, const T* w, const GemmEpilogue<T>& epilogue, T* y, const Scratch&,
               const BatchStatistics<T>* statistics) const override {
    const auto convolve = [&](std::int64_t row, std::int64_t channel, std::int64_t channels) {
      const std::int64_t top = row % p.h_out * p.stride_h - p.pad_h;
      const TapsInside inside(top, p.k_h, p.dilation_h, p.h_in);
      const std::int64_t x_row = row / p.h_out * p.h_in + top + inside.begin * p.dilation_h;
      const std::int64_t at = row * p.w_out * p.c_out + channel;
      const GemmEpilogue<T> end = epilogue.at(at, channel);
      kernels<T>().depthwise_row({.channels = channels,
                                  .rows = inside.count(),
                                  .taps = p.k_w,
                                  .start = -p.pad_w,
                                  .stride = p.stride_w,
                                  .dilation = p.dilation_w,
                                  .width = p.w_in,
                                  .x = x + x_row * p.w_in * p.c_in + channel,
                                  .x_row_step = p.dilation_h * p.w_in * p.c_in,
                                  .x_step = p.c_in,
                                  .w = w + inside.begin * p.k_w * p.c_in + channel,
                                  .w_row_step = p.k_w * p.c_in,
                                  .w_step = p.c_in,
                                  .outputs = p.w_out,
                                  .y_step = p.c_out,
                                  .y = y + at,
                                  .bias = end.bias,
                                  .residual = end.residual,
                                  .f = end.activation});
    };
    const auto gather = [&](std::int64_t task, std::int64_t row, std::int64_t rows) {
      if (statistics != nullptr) statistics->gather(task, y, row * p.w_out, rows * p.w_out);
    };
    output_cut(p, statistics != nullptr).for_rows(2 * p.taps() * p.w_out * p.c_out, convolve, gather);
  }

  void backward_data(const Conv2dProblem& p, const T* dy, const T* w, T* dx, const Scratch&) const override {
    const std::int64_t taps = ceil_div(p.k_h, p.stride_h) * ceil_div(p.k_w, p.stride_w);
    const auto correlate = [&](std::int64_t index, std::int64_t channel, std::int64_t channels) {
      const std::int64_t image = index / p.h_in;
      const std::int64_t row = index % p.h_in;
      const TapsOfClass vertical(row, p.k_h, p.stride_h, p.pad_h, p.dilation_h);
      const TapsInside inside(vertical.output, vertical.count, -vertical.output_step, p.h_out);
      const std::int64_t dy_row = vertical.output - inside.begin * vertical.output_step;
      for (std::int64_t col = 0; col < std::min(p.stride_w, p.w_in); ++col) {
        const TapsOfClass horizontal(col, p.k_w, p.stride_w, p.pad_w, p.dilation_w);
        const std::int64_t last = horizontal.count - 1;  // the last tap has the leftmost output
        const std::int64_t tap = (vertical.first + inside.begin * vertical.step) * p.k_w + horizontal.first +
                                 last * horizontal.step;
        kernels<T>().depthwise_row({.channels = channels,
                                    .rows = horizontal.count > 0 ? inside.count() : 0,
                                    .taps = horizontal.count,
                                    .start = horizontal.output - last * horizontal.output_step,
                                    .stride = 1,
                                    .dilation = horizontal.output_step,
                                    .width = p.w_out,
                                    .x = dy + (image * p.h_out + dy_row) * p.w_out * p.c_out + channel,
                                    .x_row_step = -vertical.output_step * p.w_out * p.c_out,
                                    .x_step = p.c_out,
                                    .w = w + tap * p.c_in + channel,
                                    .w_row_step = vertical.step * p.k_w * p.c_in,
                                    .w_step = -horizontal.step * p.c_in,
                                    .outputs = ceil_div(p.w_in - col, p.stride_w),
                                    .y_step = p.stride_w * p.c_in,
                                    .y = dx + ((image * p.h_in + row) * p.w_in + col) * p.c_in + channel,
                                    .bias = nullptr,
                                    .residual = nullptr,
                                    .f = {}});
      }
    };
    const RowsCut<T> cut(p, p.h_in, p.w_in * p.c_in, false);
    cut.for_rows(2 * taps * p.w_in * p.c_in, correlate, [](auto...) {});
  }

  void backward_weights(const Conv2dProblem& p, const T* x, const T* dy, T* dw,
                        const Scratch& scratch) const override {
    const WeightsCut cut(p);
    const std::int64_t channels = p.c_in;
    const std::int64_t sums = p.taps() * channels;
    T* total = scratch.template shared<T>();
    T* partial = total + sums;
    const std::int64_t ops = 2 * p.taps() * cut.band_rows * p.w_out * cut.channels;
    parallel_for(cut.bands * cut.channel_blocks, ops, [&](std::int64_t task, int) {
      const std::int64_t channel = task % cut.channel_blocks * cut.channels;
      const std::int64_t channel_end = std::min(channels, channel + cut.channels);
      const std::int64_t band = task / cut.channel_blocks;
      T* sum = partial + band * sums;
      for (std::int64_t tap = 0; tap < p.taps(); ++tap)
        std::fill(sum + tap * channels + channel, sum + tap * channels + channel_end, T{0});
      const std::int64_t end = std::min(p.n * p.h_out, (band + 1) * cut.band_rows);
      for (std::int64_t row = band * cut.band_rows; row < end; ++row) {
        const std::int64_t top = row % p.h_out * p.stride_h - p.pad_h;
        const TapsInside inside(top, p.k_h, p.dilation_h, p.h_in);
        kernels<T>().depthwise_weights_row(
            {.channels = channels,
             .channel_begin = channel,
             .channel_end = channel_end,
             .rows = inside.count(),
             .taps = p.k_w,
             .start = -p.pad_w,
             .stride = p.stride_w,
             .dilation = p.dilation_w,
             .width = p.w_in,
             .x = x + (row / p.h_out * p.h_in + top + inside.begin * p.dilation_h) * p.w_in * channels,
             .x_row_step = p.dilation_h * p.w_in * channels,
             .outputs = p.w_out,
             .dy = dy + row * p.w_out * channels,
             .dw = sum + inside.begin * p.k_w * channels,
             .dw_row_step = p.k_w * channels});
      }
    });
    parallel_ranges(sums, cut.bands, [&](std::int64_t begin, std::int64_t end) {
      kernels<T>().column_sums(partial + begin, cut.bands, end - begin, sums, total + begin);
    });
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t tap = 0; tap < p.taps(); ++tap) dw[c * p.taps() + tap] = total[tap * channels + c];
  }

 private:
  static RowsCut<T> output_cut(const Conv2dProblem& p, bool whole_pixels) {
    return {p, p.h_out, p.w_out * p.c_out, whole_pixels};
  }
};

}  // namespace

template <class T>
const Conv2dAlgorithm<T>& conv2d_depthwise() {
  static const Depthwise<T> algorithm;
  return algorithm;
}

template const Conv2dAlgorithm<float>& conv2d_depthwise();
template const Conv2dAlgorithm<double>& conv2d_depthwise();

}  // namespace fastcnn
