// What forward and backward-data of the implicit convolution share: a correlation, how it is cut into tasks, and
// running these.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/ceil_div.h"
#include "core/thread_pool.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/ops/batch_statistics.h"
#include "backend/cpu/conv2d/algorithm.h"
#include "backend/cpu/conv2d/implicit_rows.h"

namespace fastcnn::implicit {

// Channels of y as they are packed: to whole vectors.
template <class T>
std::int64_t padded(std::int64_t channels) {
  const std::int64_t lanes = kernels<T>().implicit.lanes;
  return ceil_div(channels, lanes) * lanes;
}

// What runs the kernels: y = x * w for all images and groups. Forward is one such; backward-data is one for
// each phase of the stride.
template <class T>
struct Correlation {
  Windows2d g;  // of x, which backward-data calls dy, and of y, which it calls dx
  std::int64_t n, groups;
  std::int64_t c_in, c_out;  // of a group
  std::int64_t y_image, y_row, y_pixel;

  std::int64_t depth() const { return g.k_h * g.k_w * c_in; }
  std::int64_t packed_weights() const { return groups * padded<T>(c_out) * depth(); }
};

// Which part of y a task computes: a function of the shape alone.
template <class T>
struct Cut {
  std::int64_t images = 0, rows = 0;  // of a task; several images only where rows are all
  std::int64_t image_cuts = 0, row_cuts = 0;
  std::int64_t tiles = 0, tile_cuts = 0;  // tiles of channels in a task
  std::int64_t kernel_rows;               // taken at once: their weights for one tile stay in the second-level cache

  explicit Cut(const Correlation<T>& q) {
    constexpr std::int64_t weight_bytes = 256 << 10;
    constexpr std::int64_t cached_weights = 512 << 10;  // of a group: they stay in the second-level cache
    const std::int64_t size = static_cast<std::int64_t>(sizeof(T));
    const std::int64_t cols = kernels<T>().implicit.cols;
    const std::int64_t all = ceil_div(q.c_out, cols);
    if (all * cols * q.depth() * size > cached_weights)
      cut_by_traffic(q, all);
    else
      cut_rows_first(q, all);
    const std::int64_t kernel_row_bytes = q.g.k_w * q.c_in * cols * size;
    kernel_rows = std::clamp<std::int64_t>(weight_bytes / kernel_row_bytes, 1, q.g.k_h);
  }
  std::int64_t tasks(const Correlation<T>& q) const { return q.groups * image_cuts * row_cuts * tile_cuts; }

 private:
  static constexpr std::int64_t fewest_tasks = 16;

  void set(const ImageCut& cut, std::int64_t all_tiles, std::int64_t cuts) {
    images = cut.images;
    rows = cut.rows;
    image_cuts = cut.image_cuts;
    row_cuts = cut.row_cuts;
    tiles = ceil_div(all_tiles, cuts);
    tile_cuts = ceil_div(all_tiles, tiles);
  }

  // As few channels as it takes: a task copies rows of x for all its channels at once.
  void cut_rows_first(const Correlation<T>& q, std::int64_t all) {
    constexpr std::int64_t enough_tasks = 64;
    constexpr std::int64_t enough_ops = 1 << 20;
    constexpr std::int64_t cached_y = 512 << 10;  // of a task: in the second-level cache until its statistics are gathered
    const std::int64_t row_ops = 2 * q.g.w_out * q.c_out * q.depth();
    const std::int64_t wanted = std::max(ceil_div(q.n * q.groups * q.g.h_out, enough_tasks),
                                         ceil_div(enough_ops, std::max<std::int64_t>(1, row_ops)));
    const std::int64_t row_bytes = q.g.w_out * q.c_out * static_cast<std::int64_t>(sizeof(T));
    const std::int64_t fit = std::max<std::int64_t>(1, cached_y / row_bytes);
    const ImageCut cut = ImageCut::of<T>(q.g, q.c_in, q.n, std::min(wanted, fit));
    set(cut, all, std::min(all, ceil_div(fewest_tasks, cut.image_cuts * cut.row_cuts * q.groups)));
  }

  // Weights come from afar once for each piece of the images, rows of x once for each cut of the channels:
  // whatever moves the least.
  void cut_by_traffic(const Correlation<T>& q, std::int64_t all) {
    const std::int64_t weights = all * kernels<T>().implicit.cols * q.depth();
    const std::int64_t x = q.n * q.g.h_in * q.g.w_in * q.c_in;
    std::int64_t least = 0;
    for (std::int64_t cuts = all; cuts >= 1; cuts /= 2) {
      const std::int64_t pieces = ceil_div(fewest_tasks, q.groups * cuts);
      const ImageCut cut = ImageCut::of<T>(q.g, q.c_in, q.n, std::max<std::int64_t>(1, q.n * q.g.h_out / pieces));
      const std::int64_t moved = cut.image_cuts * cut.row_cuts * weights + cuts * x;
      if (least != 0 && moved >= least) continue;
      least = moved;
      set(cut, all, cuts);
    }
  }
};

template <class T>
std::size_t correlation_bytes(const Correlation<T>& q) {
  const Cut<T> cut(q);
  return image_rows_bytes<T>(q.g, q.groups, q.c_in, cut.images, cut.rows);
}

template <class T>
void correlate(const Correlation<T>& q, const T* x, const T* w, const GemmEpilogue<T>& epilogue, T* y,
               const Scratch& scratch, const BatchStatistics<T>* statistics = nullptr) {
  const Cut<T> cut(q);
  const ImplicitKernels<T>& kernel = kernels<T>().implicit;
  const std::int64_t ops = 2 * cut.images * cut.rows * q.g.w_out * cut.tiles * kernel.cols * q.depth();
  parallel_for(cut.tasks(q), ops, [&](std::int64_t task, int worker) {
    const std::int64_t first_tile = task % cut.tile_cuts * cut.tiles;
    task /= cut.tile_cuts;
    const std::int64_t row = task % cut.row_cuts * cut.rows;
    task /= cut.row_cuts;
    const std::int64_t group = task % q.groups;
    const std::int64_t image = task / q.groups * cut.images;
    const std::int64_t image_end = std::min(image + cut.images, q.n);
    const std::int64_t row_end = std::min(row + cut.rows, q.g.h_out);
    const ImageRows<T> rows(q.g, q.groups, q.c_in, x, group, image, image_end, row, row_end,
                            scratch.template of_worker<T>(worker));
    const std::int64_t col_end = std::min((first_tile + cut.tiles) * kernel.cols, q.c_out);
    for (std::int64_t col = first_tile * kernel.cols; col < col_end; col += kernel.cols) {
      const T* tile = w + (group * padded<T>(q.c_out) + col) * q.depth();
      const std::int64_t kernel_row = q.g.k_w * q.c_in * std::min(kernel.cols, padded<T>(q.c_out - col));
      for (std::int64_t kh = 0; kh < q.g.k_h; kh += cut.kernel_rows) {
        const bool last_rows = kh + cut.kernel_rows >= q.g.k_h;
        for (std::int64_t i = image; i < image_end; ++i) {
          const std::int64_t channel = group * q.c_out + col;
          const std::int64_t offset = i * q.y_image + channel;
          const GemmEpilogue<T> end = epilogue.at(offset, channel);
          kernel.correlate({.row_begin = row,
                            .row_end = row_end,
                            .pixels = q.g.w_out,
                            .k_h = q.g.k_h,
                            .kh_begin = kh,
                            .kh_end = std::min(kh + cut.kernel_rows, q.g.k_h),
                            .stride_h = q.g.stride_h,
                            .pad_h = q.g.pad_h,
                            .dilation_h = q.g.dilation_h,
                            .h_in = q.g.h_in,
                            .runs = rows.runs,
                            .run = rows.run,
                            .run_step = rows.run_step,
                            .x = rows.x + (i - image) * rows.image_step,
                            .x_first = rows.first,
                            .x_row = rows.row_step,
                            .x_pixel = q.g.stride_w * rows.pixel_step,
                            .w = tile,
                            .cols = std::min(kernel.cols, q.c_out - col),
                            .ahead = i == image && (!last_rows || col + kernel.cols < col_end)
                                         ? tile + std::min(kh + cut.kernel_rows, q.g.k_h) * kernel_row
                                         : nullptr,
                            .y = y + offset,
                            .y_row = q.y_row,
                            .y_pixel = q.y_pixel,
                            .begin = kh == 0,
                            .bias = end.bias,
                            .finish = last_rows,
                            .residual = end.residual,
                            .activation = end.activation});
        }
      }
    }
    if (statistics != nullptr) {
      const std::int64_t piece = image / cut.images * cut.row_cuts + row / cut.rows;
      const std::int64_t first = first_tile * kernel.cols;
      statistics->gather(piece, y, (image * q.g.h_out + row) * q.g.w_out,
                      (image_end - image) * (row_end - row) * q.g.w_out, group * q.c_out + first, col_end - first);
    }
  });
}

}  // namespace fastcnn::implicit
