// The parts of grouped_norm_cpu.cpp: how a batch is cut, the moments of its groups, coefficients by column.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/thread_pool.h"
#include "cpu/kernels.h"
#include "ops/grouped_norm.h"

namespace fastcnn {

// A sample's cut into blocks of rows, and what is where. Where all of a sample is one block, it stays in the caches
// from one step to the next, and one task does them all.
template <class T>
struct GroupedBatch : GroupedColumns {
  std::int64_t block_rows, blocks;

  explicit GroupedBatch(const GroupedColumns& g) : GroupedColumns(g) {
    constexpr std::int64_t block_elements = 1 << 15;
    block_rows = std::max<std::int64_t>(32, block_elements / std::max<std::int64_t>(1, cols));
    blocks = (rows + block_rows - 1) / block_rows;
  }

  bool is_empty() const { return samples * rows * cols == 0; }
  std::int64_t width() const { return cols / groups; }  // of a group
  double count() const { return static_cast<double>(rows * width()); }
  std::int64_t rows_of(std::int64_t block) const { return std::min(block_rows, rows - block * block_rows); }
  std::int64_t at(std::int64_t sample, std::int64_t block) const {
    return (sample * rows + block * block_rows) * cols;
  }
  // Of the two rows of sums, or of means and squares, of a block.
  std::int64_t partial(std::int64_t sample, std::int64_t block) const { return (sample * blocks + block) * 2 * cols; }

  // Does for all samples what a sample's blocks need, then what the sample needs, then its blocks again.
  template <class A, class B, class C>
  void run(A first, B between, C last) const {
    const std::int64_t bytes = 4 * std::min(rows, block_rows) * cols * std::int64_t{sizeof(T)};
    if (blocks == 1) {
      parallel_for(samples, 2 * bytes, [&](std::int64_t sample, int worker) {
        first(sample, 0, worker);
        between(sample);
        last(sample, 0, worker);
      });
      return;
    }
    const auto by_block = [&](auto& body) {
      parallel_for(samples * blocks, bytes,
                   [&](std::int64_t i, int worker) { body(i / blocks, i % blocks, worker); });
    };
    by_block(first);
    parallel_for(samples, 8 * blocks * cols, [&](std::int64_t sample, int) { between(sample); });
    by_block(last);
  }
};

struct GroupMoments {
  double mean, variance;
};

// Of `count` values. for_parts(body) calls body(rows, means, squares, columns) for each part of a group.
template <class F>
GroupMoments merge_moments(double count, F for_parts) {
  double mean = 0, squares = 0;
  for_parts([&](std::int64_t rows, const auto* means, const auto*, std::int64_t columns) {
    double sum = 0;
    for (std::int64_t c = 0; c < columns; ++c) sum += static_cast<double>(means[c]);
    mean += static_cast<double>(rows) * sum / count;
  });
  for_parts([&](std::int64_t rows, const auto* means, const auto* part_squares, std::int64_t columns) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const double d = static_cast<double>(means[c]) - mean;
      squares += static_cast<double>(part_squares[c]) + static_cast<double>(rows) * d * d;
    }
  });
  return {mean, squares / count};
}

template <class T>
GroupMoments moments_of_blocks(const GroupedBatch<T>& b, const T* partial, std::int64_t sample, std::int64_t group) {
  return merge_moments(b.count(), [&](auto body) {
    for (std::int64_t block = 0; block < b.blocks; ++block) {
      const T* means = partial + b.partial(sample, block) + group * b.width();
      body(b.rows_of(block), means, means + b.cols, b.width());
    }
  });
}

// Of a run of n values, by lanes, as if it were a matrix.
template <class T>
GroupMoments moments_of_run(const T* x, std::int64_t n) {
  constexpr std::int64_t most_lanes = 64;
  const std::int64_t lanes = std::min(n, most_lanes), rows = n / lanes, rest = n % lanes;
  T mean[2 * most_lanes], squares[2 * most_lanes];
  kernels<T>().moments(x, lanes, rows, lanes, mean, squares);
  if (rest > 0) kernels<T>().moments(x + rows * lanes, rest, 1, rest, mean + lanes, squares + lanes);
  return merge_moments(static_cast<double>(n), [&](auto body) {
    body(rows, mean, squares, lanes);
    if (rest > 0) body(std::int64_t{1}, mean + lanes, squares + lanes, rest);
  });
}

// Coefficients by column, as the kernels of batch norm take them: z = (x - mean) scale + shift.
template <class T>
struct GroupCoefficients {
  T *mean, *scale, *shift, *slope, *offset;

  GroupCoefficients(T* memory, std::int64_t cols)
      : mean(memory), scale(mean + cols), shift(scale + cols), slope(shift + cols), offset(slope + cols) {}

  void set(const GroupedBatch<T>& b, std::int64_t sample, const T* saved, const T* gamma, const T* beta) {
    for (std::int64_t group = 0, c = 0; group < b.groups; ++group) {
      const T* statistics = saved + 2 * (sample * b.groups + group);
      for (const std::int64_t end = c + b.width(); c < end; ++c) {
        mean[c] = statistics[0];
        scale[c] = gamma != nullptr ? gamma[c] * statistics[1] : statistics[1];
        shift[c] = beta != nullptr ? beta[c] : T{0};
      }
    }
  }
  // Those of dx = scale dz + slope (x - mean) + offset, from a pair for each group.
  void set_slopes(const GroupedBatch<T>& b, std::int64_t sample, const T* pairs) {
    for (std::int64_t group = 0, c = 0; group < b.groups; ++group) {
      const T* pair = pairs + 2 * (sample * b.groups + group);
      for (const std::int64_t end = c + b.width(); c < end; ++c) {
        slope[c] = pair[0];
        offset[c] = pair[1];
      }
    }
  }
};

}  // namespace fastcnn
