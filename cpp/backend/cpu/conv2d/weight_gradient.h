// The frame of every GEMM-based weight gradient: dw (c_out x depth) = dy^T (c_out x pixels) * columns
// (pixels x depth). dw is cut into blocks that stay in the second-level cache while all pixels stream
// past; where that gives too few tasks, pixels are cut too and the partial sums are added in order.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/ceil_div.h"
#include "core/thread_pool.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/conv2d/algorithm.h"
#include "core/parallel.h"

namespace fastcnn {

// How a weight gradient is cut: a function of the problem alone.
struct WeightGradientCut {
  std::int64_t rows;         // of dw in a block: output channels
  std::int64_t taps;         // of dw in a block
  std::int64_t channels;     // of x in a block: all of a group's unless taps is 1
  std::int64_t chunk;        // pixels in one product
  std::int64_t parts;        // cuts of the pixels
  std::int64_t part_pixels;  // a multiple of chunk
  std::int64_t row_blocks;
  std::int64_t tap_blocks;
  std::int64_t channel_blocks;

  template <class T>
  static WeightGradientCut of(const Conv2dProblem& p) {
    constexpr std::int64_t block_elements = (std::int64_t{512} << 10) / sizeof(T);
    constexpr std::int64_t column_elements = block_elements;
    constexpr std::int64_t enough_tasks = 16;
    WeightGradientCut cut{};
    cut.taps = std::clamp<std::int64_t>(block_elements / (p.group_out() * p.group_in()), 1, p.taps());
    if (cut.taps > p.k_w) cut.taps -= cut.taps % p.k_w;  // whole kernel rows are copied in one go
    cut.tap_blocks = ceil_div(p.taps(), cut.taps);
    // One tap alone is cut where it is much too large, and for the sake of tasks: partial sums of a large dw would go
    // through memory, and of few pixels there are few parts. Tall blocks pay best for packing columns.
    cut.rows = p.group_out();
    cut.channels = p.group_in();
    const bool is_large = p.weights() >= 2 * block_elements, is_small = p.weights() <= block_elements / 4;
    const auto chunk_pixels = [&] {
      const std::int64_t in_cache = std::clamp<std::int64_t>(column_elements / (cut.taps * cut.channels), 128, 2048);
      const std::int64_t enough = std::max<std::int64_t>(256, ceil_div(p.pixels(), enough_tasks));
      return is_small ? std::min(in_cache, enough) : in_cache;  // small partial sums stay in the caches
    };
    const auto too_few = [&] {
      const std::int64_t blocks = ceil_div(p.group_out(), cut.rows) * ceil_div(p.group_in(), cut.channels);
      const std::int64_t parts = is_large ? 1 : ceil_div(p.pixels(), chunk_pixels());
      return p.groups * cut.tap_blocks * blocks * parts < enough_tasks;
    };
    const std::int64_t least = is_large ? block_elements / 2 : block_elements / 16;
    while (cut.taps == 1 && (cut.rows * cut.channels > 2 * block_elements ||
                             (cut.rows * cut.channels > least && too_few()))) {
      std::int64_t& side = cut.rows >= 4 * cut.channels ? cut.rows : cut.channels;
      side = ceil_div(side, 2);
    }
    cut.row_blocks = ceil_div(p.group_out(), cut.rows);
    cut.channel_blocks = ceil_div(p.group_in(), cut.channels);
    cut.chunk = chunk_pixels();
    cut.chunk = ceil_div(p.pixels(), std::max<std::int64_t>(1, p.pixels() / cut.chunk));
    const std::int64_t chunks = ceil_div(p.pixels(), cut.chunk);
    const std::int64_t blocks = p.groups * cut.row_blocks * cut.tap_blocks * cut.channel_blocks;
    cut.part_pixels = ceil_div(chunks, std::min(chunks, ceil_div(enough_tasks, blocks))) * cut.chunk;
    cut.parts = ceil_div(p.pixels(), cut.part_pixels);
    return cut;
  }

  std::int64_t tasks(const Conv2dProblem& p) const {
    return p.groups * row_blocks * tap_blocks * channel_blocks * parts;
  }
  std::size_t partial_elements(const Conv2dProblem& p) const {
    return parts > 1 ? static_cast<std::size_t>(parts * p.weights()) : 0;
  }
};

// What one product takes of x: channels of these taps of these windows. channel counts from the first of all groups.
struct ColumnBlock {
  std::int64_t pixel, pixel_end, tap, tap_end, channel, channels;

  std::int64_t width() const { return (tap_end - tap) * channels; }
};

// It as a matrix in memory, (pixels x width).
template <class T>
struct Columns {
  const T* data;
  std::int64_t ld;
};

// columns(worker, block) gives Columns<T>.
// partial: cut.partial_elements(p) elements of scratch.
template <class T, class MakeColumns>
void weight_gradient(const Conv2dProblem& p, const WeightGradientCut& cut, const T* dy, T* dw, T* partial,
                     MakeColumns columns) {
  const std::int64_t ops = 2 * p.pixels() * p.weights() / cut.tasks(p);
  parallel_for(cut.tasks(p), ops, [&](std::int64_t task, int worker) {
    const std::int64_t row = task % cut.row_blocks * cut.rows;
    task /= cut.row_blocks;
    const std::int64_t in = task % cut.channel_blocks * cut.channels;
    task /= cut.channel_blocks;
    const std::int64_t tap = task % cut.tap_blocks * cut.taps;
    task /= cut.tap_blocks;
    const std::int64_t group = task % p.groups;
    const std::int64_t part = task / p.groups;

    const std::int64_t out = group * p.group_out() + row;
    T* target = (cut.parts > 1 ? partial + part * p.weights() : dw) + out * p.depth() + tap * p.group_in() + in;
    const std::int64_t end = std::min((part + 1) * cut.part_pixels, p.pixels());
    for (std::int64_t pixel = part * cut.part_pixels; pixel < end; pixel += cut.chunk) {
      const ColumnBlock block{.pixel = pixel,
                              .pixel_end = std::min(pixel + cut.chunk, end),
                              .tap = tap,
                              .tap_end = std::min(tap + cut.taps, p.taps()),
                              .channel = group * p.group_in() + in,
                              .channels = std::min(cut.channels, p.group_in() - in)};
      const Columns<T> col = columns(worker, block);
      gemm<T>({.provider = p.gemm,
               .trans_a = true,
               .m = std::min(cut.rows, p.group_out() - row),
               .n = block.width(),
               .k = block.pixel_end - pixel,
               .a = dy + pixel * p.c_out + out,
               .lda = p.c_out,
               .b = col.data,
               .ldb = col.ld,
               .beta = pixel == part * cut.part_pixels ? T{0} : T{1},
               .c = target,
               .ldc = p.depth()});
    }
  });
  if (cut.parts == 1) return;
  parallel_ranges(p.weights(), cut.parts * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
    std::copy(partial + begin, partial + end, dw + begin);
    for (std::int64_t part = 1; part < cut.parts; ++part) {
      kernels<T>().add(dw + begin, partial + part * p.weights() + begin, dw + begin, end - begin);
    }
  });
}

}  // namespace fastcnn
