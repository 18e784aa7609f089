// dw of the implicit convolution: sums over pixels of outer products of dy's channels and runs of x's taps,
// both read where they lie. Blocks of dw stay in the second-level cache while pieces of the images pass by;
// where that gives too few tasks, the pieces are cut into parts, too, whose sums are added in order.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/ceil_div.h"
#include "core/thread_pool.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/conv2d/algorithm.h"
#include "backend/cpu/conv2d/implicit_rows.h"
#include "core/parallel.h"

namespace fastcnn {

// How it is cut: a function of the problem alone.
template <class T>
struct ImplicitGradientCut {
  bool turned;            // vectors are of dy's channels, not of x's taps: where runs are short
  ImageCut piece;         // whose pixels are summed in registers
  std::int64_t channels;  // of dy, in a block
  std::int64_t blocks;    // of a group
  std::int64_t parts, part_pieces;

  explicit ImplicitGradientCut(const Conv2dProblem& p) {
    constexpr std::int64_t block_elements = (std::int64_t{256} << 10) / sizeof(T);
    constexpr std::int64_t enough_pixels = 256;
    constexpr std::int64_t enough_tasks = 32;
    constexpr std::int64_t enough_ops = 1 << 21;
    const ImplicitKernels<T>& kernel = kernels<T>().implicit;
    const std::int64_t run = run_length(p, p.groups, p.group_in());
    turned = cycles(run, p.group_out()) < cycles(p.group_out(), run);
    piece = ImageCut::of<T>(p, p.group_in(), p.n, ceil_div(enough_pixels, p.w_out));

    const std::int64_t unit = turned ? kernel.cols : kernel.rows;
    channels = std::clamp(block_elements / p.depth() / unit * unit, std::min(unit, p.group_out()), p.group_out());
    blocks = ceil_div(p.group_out(), channels);
    if (!turned) channels = ceil_div(p.group_out(), blocks);

    const std::int64_t worthwhile = std::max<std::int64_t>(1, 2 * p.pixels() * p.weights() / enough_ops);
    parts = std::min({pieces(), worthwhile, ceil_div(enough_tasks, blocks * p.groups)});
    part_pieces = ceil_div(pieces(), parts);
    parts = ceil_div(pieces(), part_pieces);
  }

  std::int64_t pieces() const { return piece.image_cuts * piece.row_cuts; }
  std::int64_t tasks(const Conv2dProblem& p) const { return parts * p.groups * blocks; }
  // Sums that are not yet dw: of parts, or turned round.
  std::size_t partial_elements(const Conv2dProblem& p) const {
    return parts > 1 || turned ? static_cast<std::size_t>(parts * p.weights()) : 0;
  }

 private:
  // What one pixel takes, about: m broadcast elements, n in vectors. A tile waits for its longest line of
  // additions, its multiply-adds or its loads.
  static double cycles(std::int64_t m, std::int64_t n) {
    const ImplicitKernels<T>& kernel = kernels<T>().implicit;
    const double tiles = static_cast<double>(ceil_div(m, kernel.rows));
    const double rows = static_cast<double>(m) / tiles;
    const auto strip = [&](std::int64_t cols) {
      const auto vectors = static_cast<double>(ceil_div(cols, kernel.lanes));
      return cols == 0 ? 0 : tiles * std::max({rows * vectors, rows + vectors, 8.0});
    };
    return static_cast<double>(n / kernel.cols) * strip(kernel.cols) + strip(n % kernel.cols);
  }
};

// Adds one piece to the sums of one block, or begins them. sums: of all groups, as dw or turned.
template <class T>
void add_piece(const Conv2dProblem& p, const ImplicitGradientCut<T>& cut, std::int64_t group, std::int64_t channel,
               std::int64_t piece, const T* x, const T* dy, bool add, T* sums, T* buffer) {
  const std::int64_t image = piece / cut.piece.row_cuts * cut.piece.images;
  const std::int64_t image_end = std::min(image + cut.piece.images, p.n);
  const std::int64_t row = piece % cut.piece.row_cuts * cut.piece.rows;
  const std::int64_t row_end = std::min(row + cut.piece.rows, p.h_out);
  const std::int64_t channels = std::min(cut.channels, p.group_out() - channel);
  const ImageRows<T> rows(p, p.groups, p.group_in(), x, group, image, image_end, row, row_end, buffer);
  const std::int64_t dy_row = p.w_out * p.c_out;
  for (std::int64_t kh = 0; kh < p.k_h; ++kh) {
    // The rows of dy whose kernel row kh lies in the image.
    const std::int64_t above = p.pad_h - kh * p.dilation_h;
    const std::int64_t first = above <= 0 ? 0 : ceil_div(above, p.stride_h);
    const std::int64_t last = p.h_in - 1 + above < 0 ? -1 : (p.h_in - 1 + above) / p.stride_h;
    const std::int64_t begin = std::clamp(first, row, row_end);
    const std::int64_t end = std::clamp(last + 1, begin, row_end);
    if (add && begin == end) continue;
    for (std::int64_t k = 0; k < rows.runs; ++k) {
      const std::int64_t tap = (kh * p.k_w * p.group_in()) + k * rows.run;
      const T* gradient = dy + image * p.h_out * dy_row + begin * dy_row + group * p.group_out() + channel;
      const T* window = rows.x + (begin * p.stride_h - above - rows.first) * rows.row_step + k * rows.run_step;
      ImplicitOuter<T> s{.images = image_end - image,
                         .rows = end - begin,
                         .pixels = p.w_out,
                         .a = gradient,
                         .a_image = p.h_out * dy_row,
                         .a_row = dy_row,
                         .a_pixel = p.c_out,
                         .m = channels,
                         .b = window,
                         .b_image = rows.image_step,
                         .b_row = p.stride_h * rows.row_step,
                         .b_pixel = p.stride_w * rows.pixel_step,
                         .n = rows.run,
                         .c = sums + (group * p.group_out() + channel) * p.depth() + tap,
                         .ldc = p.depth(),
                         .add = add};
      if (cut.turned) {
        std::swap(s.a, s.b);
        std::swap(s.a_image, s.b_image);
        std::swap(s.a_row, s.b_row);
        std::swap(s.a_pixel, s.b_pixel);
        std::swap(s.m, s.n);
        s.c = sums + group * p.group_out() * p.depth() + tap * p.group_out() + channel;
        s.ldc = p.group_out();
      }
      kernels<T>().implicit.outer(s);
    }
  }
}

template <class T>
void implicit_weight_gradient(const Conv2dProblem& p, const T* x, const T* dy, T* dw, const Scratch& scratch) {
  const ImplicitGradientCut<T> cut(p);
  T* partial = cut.partial_elements(p) > 0 ? scratch.template shared<T>() : dw;
  const std::int64_t tasks = cut.tasks(p);
  parallel_for(tasks, 2 * p.pixels() * p.weights() / tasks, [&](std::int64_t task, int worker) {
    const std::int64_t channel = task % cut.blocks * cut.channels;
    task /= cut.blocks;
    const std::int64_t group = task % p.groups;
    const std::int64_t part = task / p.groups;
    const std::int64_t begin = part * cut.part_pieces;
    const std::int64_t end = std::min(begin + cut.part_pieces, cut.pieces());
    for (std::int64_t piece = begin; piece < end; ++piece) {
      add_piece(p, cut, group, channel, piece, x, dy, piece > begin, partial + part * p.weights(),
                scratch.template of_worker<T>(worker));
    }
  });
  if (cut.parts > 1) {
    T* sum = cut.turned ? partial : dw;
    parallel_ranges(p.weights(), cut.parts * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
      const T* first = partial + begin;
      for (std::int64_t part = 1; part < cut.parts; ++part) {
        kernels<T>().add(first, partial + part * p.weights() + begin, sum + begin, end - begin);
        first = sum + begin;
      }
    });
  }
  if (cut.turned) {
    parallel_for(p.c_out, 4 * p.depth(), [&](std::int64_t channel, int) {
      const std::int64_t group = channel / p.group_out();
      const T* column = partial + group * p.group_out() * p.depth() + channel % p.group_out();
      for (std::int64_t i = 0; i < p.depth(); ++i) dw[channel * p.depth() + i] = column[i * p.group_out()];
    });
  }
}

}  // namespace fastcnn
