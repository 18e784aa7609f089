// The parts of group_norm.cpp: how a batch is cut, the statistics of its groups, coefficients by column.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/ceil_div.h"
#include "core/shape.h"
#include "core/thread_pool.h"

namespace fastcnn {

// A matrix of pixels by channels for each sample, cut into blocks of rows, and what is where. Where all of a sample is
// one block, it stays in the caches from one step to the next, and one task does them all.
template <class T>
struct GroupedBatch {
  std::int64_t samples, rows, cols, groups;
  std::int64_t block_rows, blocks;

  GroupedBatch(const Shape& x, std::int64_t groups)
      : samples(x[0]), rows(1), cols(x[1]), groups(groups) {
    for (int axis = 2; axis < x.rank(); ++axis) rows *= x[axis];
    constexpr std::int64_t block_elements = 1 << 15;
    block_rows = std::max<std::int64_t>(32, block_elements / std::max<std::int64_t>(1, cols));
    blocks = ceil_div(rows, block_rows);
  }

  std::size_t statistics() const { return static_cast<std::size_t>(2 * samples * groups); }  // a pair by group
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

struct GroupStatistics {
  double mean, variance;
};

// Of all blocks together, from the mean and the squared distances from it of each of their columns, as they lie in
// `partial` (Chan, Golub and LeVeque 1979).
template <class T>
GroupStatistics merge_statistics(const GroupedBatch<T>& b, const T* partial, std::int64_t sample,
                                 std::int64_t group) {
  double mean = 0, squares = 0;
  const auto for_columns = [&](auto body) {
    for (std::int64_t block = 0; block < b.blocks; ++block) {
      const T* means = partial + b.partial(sample, block) + group * b.width();
      const auto rows = static_cast<double>(b.rows_of(block));
      for (std::int64_t c = 0; c < b.width(); ++c)
        body(rows, static_cast<double>(means[c]), static_cast<double>(means[b.cols + c]));
    }
  };
  for_columns([&](double rows, double m, double) { mean += rows * m; });
  mean /= b.count();
  for_columns([&](double rows, double m, double m2) { squares += m2 + rows * (m - mean) * (m - mean); });
  return {mean, squares / b.count()};
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
