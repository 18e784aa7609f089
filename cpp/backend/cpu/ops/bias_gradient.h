// The gradients of a bias per channel and of the activation behind it, in one pass over memory.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/ceil_div.h"
#include "core/thread_pool.h"
#include "backend/cpu/kernels.h"

namespace fastcnn {

// Of a batch of so many pixels of channels, as it is stored.
struct BiasGradient {
  std::int64_t pixels, channels;

  // Elements of scratch: a partial sum of db for each task.
  std::int64_t partial_elements() const { return blocks() * channels; }

  // dy *= f'(y) in place, and db = sums of that over all pixels; db may be null.
  template <class T>
  void compute(const Activation& f, const T* y, T* dy, T* db, T* partial) const {
    const bool has_activation = f.kind != Activation::Kind::identity;
    if (!has_activation && db == nullptr) return;
    const std::int64_t block = block_pixels();
    const auto bytes = static_cast<std::int64_t>(3 * sizeof(T));
    parallel_for(blocks(), block * channels * bytes, [&](std::int64_t task, int) {
      const std::int64_t rows = std::min(block, pixels - task * block);
      const std::int64_t first = task * block * channels;
      if (has_activation) {
        const T* y_block = y != nullptr ? y + first : nullptr;
        kernels<T>().activation_gradient(f, nullptr, y_block, dy + first, dy + first, rows * channels);
      }
      if (db != nullptr) kernels<T>().column_sums(dy + first, rows, channels, channels, partial + task * channels);
    });
    if (db != nullptr) kernels<T>().column_sums(partial, blocks(), channels, channels, db);
  }

 private:
  // What one task looks at.
  std::int64_t block_pixels() const {
    constexpr std::int64_t block_elements = 1 << 14;
    constexpr std::int64_t max_blocks = 64;
    return std::max({std::int64_t{1}, block_elements / channels, ceil_div(pixels, max_blocks)});
  }
  std::int64_t blocks() const { return ceil_div(pixels, block_pixels()); }
};

}  // namespace fastcnn
