// What the passes of the implicit convolution share: cutting images into pieces for tasks, and the rows of
// such a piece as the kernels of backend/cpu/implicit.h read them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/ceil_div.h"
#include "ops/windows.h"
#include "core/parallel.h"

namespace fastcnn {

// Windows2d whose padding is negative begin inside of the image.

// Columns that the windows of one row cover.
inline std::int64_t covered_cols(const Windows2d& g) {
  return (g.w_out - 1) * g.stride_w + (g.k_w - 1) * g.dilation_w + 1;
}

// Input rows that `rows` rows of windows cover, at most.
inline std::int64_t covered_rows(const Windows2d& g, std::int64_t rows) {
  return std::min(g.h_in, (rows - 1) * g.stride_h + (g.k_h - 1) * g.dilation_h + 1);
}

// Whether rows of the image can be read where they lie: no window reaches beyond its sides, and runs of taps
// are not too short.
inline bool reads_in_place(const Windows2d& g, std::int64_t groups, std::int64_t channels) {
  constexpr std::int64_t shortest_run = 16;
  return g.pad_w <= 0 && covered_cols(g) - g.pad_w <= g.w_in && (groups == 1 || channels >= shortest_run);
}

// Taps in one run, backend/cpu/implicit.h.
inline std::int64_t run_length(const Windows2d& g, std::int64_t groups, std::int64_t channels) {
  const bool contiguous = groups == 1 || !reads_in_place(g, groups, channels);
  return contiguous && g.dilation_w == 1 ? g.k_w * channels : channels;
}

// Pieces of the output: rows of one image, or several whole images.
struct ImageCut {
  std::int64_t images, rows;
  std::int64_t image_cuts, row_cuts;

  // Pieces of about `wanted` rows, less where their input would leave the second-level cache.
  template <class T>
  static ImageCut of(const Windows2d& g, std::int64_t channels, std::int64_t n, std::int64_t wanted) {
    constexpr std::int64_t elements = (std::int64_t{256} << 10) / sizeof(T);
    const std::int64_t row = covered_cols(g) * channels;
    ImageCut cut{.images = 1, .rows = g.h_out, .image_cuts = n, .row_cuts = 1};
    const std::int64_t fit = elements / (row * covered_rows(g, g.h_out));
    if (wanted >= g.h_out && fit >= 1) {
      cut.image_cuts = ceil_div(n, std::clamp<std::int64_t>(wanted / g.h_out, 1, std::min(fit, n)));
      cut.images = ceil_div(n, cut.image_cuts);
      cut.image_cuts = ceil_div(n, cut.images);
      return cut;
    }
    const std::int64_t above = covered_rows(g, 1) - g.stride_h;
    const std::int64_t rows = std::clamp<std::int64_t>((elements / row - above) / g.stride_h, 1, g.h_out);
    cut.row_cuts = ceil_div(g.h_out, std::clamp<std::int64_t>(wanted, 1, rows));
    cut.rows = even_share(g.h_out, ceil_div(g.h_out, cut.row_cuts));
    cut.row_cuts = ceil_div(g.h_out, cut.rows);
    return cut;
  }
};

// Bytes that ImageRows needs for pieces of at most so many images and rows.
template <class T>
std::size_t image_rows_bytes(const Windows2d& g, std::int64_t groups, std::int64_t channels, std::int64_t images,
                             std::int64_t rows) {
  if (reads_in_place(g, groups, channels)) return 0;
  return static_cast<std::size_t>(images * covered_rows(g, rows) * covered_cols(g) * channels) * sizeof(T);
}

// One group's input of a piece: in place, or copied to `buffer` with zeros where windows reach beyond the
// sides. Rows above and below the image are not there.
template <class T>
struct ImageRows {
  const T* x;          // first tap of the windows of column 0, in row `first` of the first image
  std::int64_t first;  // row of the image
  std::int64_t image_step, row_step, pixel_step;
  std::int64_t runs, run, run_step;  // backend/cpu/implicit.h

  ImageRows(const Windows2d& g, std::int64_t groups, std::int64_t channels, const T* image_data,
            std::int64_t group, std::int64_t image, std::int64_t image_end, std::int64_t row, std::int64_t row_end,
            T* buffer) {
    const std::int64_t source_pixel = groups * channels;
    const std::int64_t source_row = g.w_in * source_pixel;
    const std::int64_t source_image = g.h_in * source_row;
    const T* source = image_data + image * source_image + group * channels;
    if (reads_in_place(g, groups, channels)) {
      x = source - g.pad_w * source_pixel;
      first = 0;
      image_step = source_image;
      row_step = source_row;
      pixel_step = source_pixel;
    } else {
      first = std::clamp<std::int64_t>(row * g.stride_h - g.pad_h, 0, g.h_in);
      const std::int64_t last = (row_end - 1) * g.stride_h - g.pad_h + (g.k_h - 1) * g.dilation_h;
      const std::int64_t end = std::clamp<std::int64_t>(last + 1, first, g.h_in);
      x = buffer;
      pixel_step = channels;
      row_step = covered_cols(g) * channels;
      image_step = (end - first) * row_step;
      for (std::int64_t i = 0; i < image_end - image; ++i) {
        for (std::int64_t h = first; h < end; ++h, buffer += row_step)
          copy_row(g, groups, channels, source + i * source_image + h * source_row, buffer);
      }
    }
    run = run_length(g, groups, channels);
    runs = g.k_w * channels / run;
    run_step = g.dilation_w * pixel_step;
  }

 private:
  static void copy_row(const Windows2d& g, std::int64_t groups, std::int64_t channels, const T* source, T* target) {
    const std::int64_t cols = covered_cols(g);
    const std::int64_t begin = std::clamp<std::int64_t>(g.pad_w, 0, cols);  // the first column of the image
    const std::int64_t end = std::clamp<std::int64_t>(g.pad_w + g.w_in, begin, cols);
    std::fill_n(target, begin * channels, T{0});
    source += (begin - g.pad_w) * groups * channels;
    if (groups == 1) {
      std::copy_n(source, (end - begin) * channels, target + begin * channels);
    } else {
      for (std::int64_t col = begin; col < end; ++col, source += groups * channels)
        std::copy_n(source, channels, target + col * channels);
    }
    std::fill_n(target + end * channels, (cols - end) * channels, T{0});
  }
};

}  // namespace fastcnn
