// Windows are copied into the rows of a matrix, a cache-sized chunk of output pixels at a time, and
// multiplied by the weights.
#include <algorithm>

#include "core/ceil_div.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/conv2d/algorithm.h"
#include "backend/cpu/conv2d/weight_gradient.h"

namespace fastcnn {
namespace {

constexpr std::int64_t enough_tasks = 16;

// Output pixels whose columns are made at once: in the second-level cache if they fit, but enough of
// them to pay for packing the weights in each product.
template <class T>
std::int64_t chunk_pixels(const Conv2dProblem& p) {
  constexpr std::int64_t column_elements = (std::int64_t{512} << 10) / sizeof(T);
  return std::clamp<std::int64_t>(column_elements / p.depth(), 128, 1024);
}

// Cuts so many pixels into even chunks, none small; each less than twice `chunk`.
std::int64_t even_chunk(std::int64_t pixels, std::int64_t chunk) {
  return ceil_div(pixels, std::max<std::int64_t>(1, pixels / chunk));
}

// With many chunks, each is a task with columns of its own; with few, all columns are made first and the
// product is cut as the GEMM sees fit.
template <class T>
bool by_chunks(const Conv2dProblem& p) {
  return p.pixels() / chunk_pixels<T>(p) * p.groups >= enough_tasks;
}

template <class T>
std::size_t column_bytes(const Conv2dProblem& p, std::int64_t pixels) {
  return static_cast<std::size_t>(pixels * p.depth()) * sizeof(T);
}

template <class T>
void make_columns(const Conv2dProblem& p, std::int64_t group, const T* x, std::int64_t pixel,
                  std::int64_t pixel_end, T* col) {
  kernels<T>().im2col(p, p.c_in, p.group_in(), x + group * p.group_in(), pixel, pixel_end, 0, p.taps(), col);
}

template <class T>
Gemm<T> columns_times_weights(const Conv2dProblem& p, std::int64_t group, std::int64_t pixel,
                              std::int64_t pixels, const T* col, const T* w, const GemmEpilogue<T>& epilogue,
                              T* y) {
  const std::int64_t channel = group * p.group_out();
  return {.provider = p.gemm,
          .trans_b = true,
          .m = pixels,
          .n = p.group_out(),
          .k = p.depth(),
          .a = col,
          .lda = p.depth(),
          .b = w + channel * p.depth(),
          .ldb = p.depth(),
          .c = y + pixel * p.c_out + channel,
          .ldc = p.c_out,
          .epilogue = epilogue.at(pixel * p.c_out + channel, channel)};
}

template <class T>
Gemm<T> gradient_times_weights(const Conv2dProblem& p, std::int64_t group, std::int64_t pixel,
                               std::int64_t pixels, const T* dy, const T* w, T* col) {
  const std::int64_t channel = group * p.group_out();
  return {.provider = p.gemm,
          .m = pixels,
          .n = p.depth(),
          .k = p.group_out(),
          .a = dy + pixel * p.c_out + channel,
          .lda = p.c_out,
          .b = w + channel * p.depth(),
          .ldb = p.depth(),
          .c = col,
          .ldc = p.depth()};
}

// What one task owns of dx: the rows [row, row_end) of the images [image, image_end), one group's channels.
struct Band {
  std::int64_t group, image, image_end, row, row_end;
};

// Cuts dx into bands: several images where these are small, parts of an image where there are few. The
// columns of rows beyond its border that reach into a band are made again for it, so it is kept tall.
struct BandCut {
  std::int64_t images, rows;  // of a band
  std::int64_t image_cuts, row_cuts;

  explicit BandCut(const Conv2dProblem& p) {
    constexpr std::int64_t enough_pixels = 192;
    const std::int64_t max_images = std::max<std::int64_t>(1, 2 * p.n * p.groups / enough_tasks);
    images = std::clamp<std::int64_t>(enough_pixels / (p.h_out * p.w_out), 1, std::min(p.n, max_images));
    image_cuts = ceil_div(p.n, images);
    const std::int64_t reach = (p.k_h - 1) * p.dilation_h + 1;
    const std::int64_t wanted = ceil_div(enough_tasks, image_cuts * p.groups);
    row_cuts = std::max<std::int64_t>(1, std::min(p.h_in / (2 * reach), wanted));
    rows = ceil_div(p.h_in, row_cuts);
    row_cuts = ceil_div(p.h_in, rows);
  }
  std::int64_t tasks(const Conv2dProblem& p) const { return image_cuts * row_cuts * p.groups; }
  Band band(const Conv2dProblem& p, std::int64_t task) const {
    const std::int64_t image = task / p.groups / row_cuts * images;
    const std::int64_t row = task / p.groups % row_cuts * rows;
    return {task % p.groups, image, std::min(image + images, p.n), row, std::min(row + rows, p.h_in)};
  }
};

template <class T>
void zero_band(const Conv2dProblem& p, const Band& band, T* dx) {
  for (std::int64_t image = band.image; image < band.image_end; ++image) {
    const std::int64_t pixels = (band.row_end - band.row) * p.w_in;
    T* first = dx + (image * p.h_in + band.row) * p.w_in * p.c_in + band.group * p.group_in();
    if (p.groups == 1) {
      std::fill_n(first, pixels * p.c_in, T{0});
    } else {
      for (std::int64_t i = 0; i < pixels; ++i) std::fill_n(first + i * p.c_in, p.group_in(), T{0});
    }
  }
}

// Calls body(pixel, pixel_end) for the output pixels whose windows reach into the band.
template <class F>
void for_pixels_of_band(const Conv2dProblem& p, const Band& band, F body) {
  const RowRange rows = windows_of_band(p, band.row, band.row_end);
  if (rows.begin >= rows.end) return;
  if (rows.begin == 0 && rows.end == p.h_out) {  // whole images follow each other without a gap
    body(band.image * p.h_out * p.w_out, band.image_end * p.h_out * p.w_out);
    return;
  }
  for (std::int64_t image = band.image; image < band.image_end; ++image) {
    body((image * p.h_out + rows.begin) * p.w_out, (image * p.h_out + rows.end) * p.w_out);
  }
}

template <class T>
void add_columns(const Conv2dProblem& p, const Band& band, const T* col, std::int64_t pixel,
                 std::int64_t pixel_end, T* dx) {
  kernels<T>().col2im_add(p, p.c_in, p.group_in(), col, pixel, pixel_end, band.row, band.row_end,
                          dx + band.group * p.group_in());
}

template <class T>
class Im2col final : public Conv2dAlgorithm<T> {
 public:
  std::string_view name() const override { return "im2col"; }

  ScratchSize scratch(const Conv2dProblem& p, Conv2dPass pass) const override {
    if (pass != Conv2dPass::backward_weights) {
      if (!by_chunks<T>(p)) return {.shared = column_bytes<T>(p, p.pixels())};
      return {.per_thread = column_bytes<T>(p, std::min(2 * chunk_pixels<T>(p), p.pixels()))};
    }
    const auto cut = WeightGradientCut::of<T>(p);
    return {.shared = cut.partial_elements(p) * sizeof(T),
            .per_thread = static_cast<std::size_t>(cut.chunk * cut.taps * cut.channels) * sizeof(T)};
  }

  std::int64_t statistics_parts(const Conv2dProblem& p) const override {
    return by_chunks<T>(p) ? ceil_div(p.pixels(), even_chunk(p.pixels(), chunk_pixels<T>(p))) : 0;
  }

  void forward(const Conv2dProblem& p, const T* x, const T* w, const GemmEpilogue<T>& epilogue, T* y,
               const Scratch& scratch, const BatchStatistics<T>* statistics) const override {
    if (!by_chunks<T>(p)) {
      T* col = scratch.template shared<T>();
      for (std::int64_t group = 0; group < p.groups; ++group) {
        parallel_ranges(p.pixels(), 2 * p.depth() * sizeof(T),
                        [&](std::int64_t pixel, std::int64_t pixel_end) {
                          make_columns(p, group, x, pixel, pixel_end, col + pixel * p.depth());
                        });
        parallel_gemm(columns_times_weights(p, group, 0, p.pixels(), col, w, epilogue, y));
      }
      return;
    }
    const std::int64_t chunk = even_chunk(p.pixels(), chunk_pixels<T>(p));
    const std::int64_t ops = 2 * chunk * p.group_out() * p.depth();
    parallel_for(ceil_div(p.pixels(), chunk) * p.groups, ops, [&](std::int64_t task, int worker) {
      const std::int64_t group = task % p.groups;
      const std::int64_t pixel = task / p.groups * chunk;
      const std::int64_t pixel_end = std::min(pixel + chunk, p.pixels());
      T* col = scratch.template of_worker<T>(worker);
      make_columns(p, group, x, pixel, pixel_end, col);
      gemm(columns_times_weights(p, group, pixel, pixel_end - pixel, col, w, epilogue, y));
      if (statistics != nullptr)
        statistics->gather(pixel / chunk, y, pixel, pixel_end - pixel, group * p.group_out(), p.group_out());
    });
  }

  // Columns = dy w, added back to where forward would copy them from.
  void backward_data(const Conv2dProblem& p, const T* dy, const T* w, T* dx,
                     const Scratch& scratch) const override {
    const BandCut cut(p);
    const std::int64_t tasks = cut.tasks(p);
    if (!by_chunks<T>(p)) {
      T* col = scratch.template shared<T>();
      const std::int64_t ops = 3 * p.pixels() * p.depth() * p.groups * sizeof(T) / tasks;
      for (std::int64_t group = 0; group < p.groups; ++group) {
        parallel_gemm(gradient_times_weights(p, group, 0, p.pixels(), dy, w, col));
        parallel_for(tasks / p.groups, ops, [&](std::int64_t task, int) {
          const Band band = cut.band(p, task * p.groups + group);
          zero_band(p, band, dx);
          for_pixels_of_band(p, band, [&](std::int64_t pixel, std::int64_t pixel_end) {
            add_columns(p, band, col + pixel * p.depth(), pixel, pixel_end, dx);
          });
        });
      }
      return;
    }
    parallel_for(tasks, 2 * p.pixels() * p.weights() / tasks, [&](std::int64_t task, int worker) {
      T* col = scratch.template of_worker<T>(worker);
      const Band band = cut.band(p, task);
      zero_band(p, band, dx);
      for_pixels_of_band(p, band, [&](std::int64_t first, std::int64_t last) {
        const std::int64_t chunk = even_chunk(last - first, chunk_pixels<T>(p));
        for (std::int64_t pixel = first; pixel < last; pixel += chunk) {
          const std::int64_t pixel_end = std::min(pixel + chunk, last);
          gemm(gradient_times_weights(p, band.group, pixel, pixel_end - pixel, dy, w, col));
          add_columns(p, band, col, pixel, pixel_end, dx);
        }
      });
    });
  }

  void backward_weights(const Conv2dProblem& p, const T* x, const T* dy, T* dw,
                        const Scratch& scratch) const override {
    weight_gradient<T>(p, WeightGradientCut::of<T>(p), dy, dw, scratch.template shared<T>(),
                       [&](int worker, const ColumnBlock& block) {
                         T* col = scratch.template of_worker<T>(worker);
                         kernels<T>().im2col(p, p.c_in, block.channels, x + block.channel, block.pixel,
                                             block.pixel_end, block.tap, block.tap_end, col);
                         return Columns<T>{col, block.width()};
                       });
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
