// The mean of each channel, and the sum of squared distances from it, of parts of a batch. Whoever writes a
// batch gathers them part by part while it is in the cache, or a pass over memory does; those of the whole
// follow from those of the parts, whatever their sizes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "backend/cpu/kernels.h"
#include "core/allocator.h"
#include "core/ceil_div.h"
#include "core/parallel.h"

namespace fastcnn {

// Calls body(first channel, channels) for groups of at most channel_group, so that what lies by part and then by
// channel is read in whole cache lines; in parallel where there is much to do.
inline constexpr std::int64_t channel_group = 16;

template <class F>
void for_channel_groups(std::int64_t channels, std::int64_t ops_per_channel, F body) {
  const std::int64_t groups = ceil_div(channels, channel_group);
  parallel_ranges(groups, ops_per_channel * channel_group, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t first = begin * channel_group; first < std::min(end * channel_group, channels);
         first += channel_group)
      body(first, std::min(channel_group, channels - first));
  });
}

template <class T>
class BatchStatistics {
 public:
  static std::size_t bytes(std::int64_t parts, std::int64_t channels) {
    return head_bytes(parts) + static_cast<std::size_t>(2 * parts * channels) * sizeof(T);
  }

  // To be gathered into so many bytes of memory, 64-byte aligned.
  BatchStatistics(std::byte* memory, std::int64_t parts, std::int64_t channels)
      : parts_(parts),
        channels_(channels),
        counts_(reinterpret_cast<std::int64_t*>(memory) + 1),
        means_(reinterpret_cast<T*>(memory + head_bytes(parts))),
        squares_(means_ + parts * channels) {
    counts_[-1] = parts;
  }
  // As they were gathered there.
  static BatchStatistics gathered(const std::byte* memory, std::int64_t channels) {
    return {const_cast<std::byte*>(memory), *reinterpret_cast<const std::int64_t*>(memory), channels};
  }

  // Of a part: of the batch x, so many pixels, 1 or more, from `pixel` on. Tasks may share a part, each with
  // channels of its own.
  void gather(std::int64_t part, const T* x, std::int64_t pixel, std::int64_t count) const {
    gather(part, x, pixel, count, 0, channels_);
  }
  void gather(std::int64_t part, const T* x, std::int64_t pixel, std::int64_t count, std::int64_t channel,
              std::int64_t channels) const {
    const std::int64_t at = part * channels_ + channel;
    kernels<T>().statistics(x + pixel * channels_ + channel, channels_, count, channels, means_ + at, squares_ + at);
    if (channel == 0) counts_[part] = count;
  }

  // Calls body(channel, mean, squares, pixels) with what all parts together give, once per channel, in parallel
  // where there are many parts (Chan, Golub and LeVeque 1979; in double precision).
  template <class F>
  void merge(F body) const {
    for_channel_groups(channels_, 8 * parts_, [&](std::int64_t first, std::int64_t channels) {
      double mean[channel_group] = {}, squares[channel_group] = {};
      std::int64_t pixels = 0;
      for (std::int64_t part = 0; part < parts_; ++part) {
        const std::int64_t at = part * channels_ + first;
        const auto n = static_cast<double>(counts_[part]);
        for (std::int64_t c = 0; c < channels; ++c) mean[c] += n * static_cast<double>(means_[at + c]);
        pixels += counts_[part];
      }
      for (std::int64_t c = 0; c < channels; ++c) mean[c] /= static_cast<double>(pixels);
      for (std::int64_t part = 0; part < parts_; ++part) {
        const std::int64_t at = part * channels_ + first;
        const auto n = static_cast<double>(counts_[part]);
        for (std::int64_t c = 0; c < channels; ++c) {
          const double d = static_cast<double>(means_[at + c]) - mean[c];
          squares[c] += static_cast<double>(squares_[at + c]) + n * d * d;
        }
      }
      for (std::int64_t c = 0; c < channels; ++c) body(first + c, mean[c], squares[c], pixels);
    });
  }

 private:
  static std::size_t head_bytes(std::int64_t parts) {
    return align_up(static_cast<std::size_t>(parts + 1) * sizeof(std::int64_t));
  }

  std::int64_t parts_, channels_;
  std::int64_t* counts_;  // pixels of each part; before them, how many there are
  T *means_, *squares_;   // [part][channel]
};

}  // namespace fastcnn
