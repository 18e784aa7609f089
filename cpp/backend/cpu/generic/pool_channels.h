// Pooling across the channels of channels-last pixels, vectorised over windows: a vector holds the same tap of
// neighbouring windows.
#pragma once

#include <stdint.h>

#include "backend/cpu/generic/pool.h"
#include "backend/cpu/generic/runs.h"
#include "backend/cpu/generic/vec.h"
#include "ops/pooling.h"

namespace fastcnn::generic {

// The taps of `count` <= V::size windows, `stride` apart.
template <class V>
inline V load_taps(const typename V::T* p, int64_t stride, int64_t count) {
  if (stride == 1) return load_upto<V>(p, count);
  V v{};
  if (count == V::size) {
    for (int i = 0; i < V::size; ++i) v.raw[i] = p[i * stride];
  } else {
    for (int64_t i = 0; i < count; ++i) v.raw[i] = p[i * stride];
  }
  return v;
}

// Calls body(o, count, taps) for windows [o, o + count) that have the same taps, which lie from their begin on: all
// that are not clipped by the vector, those that are clipped alone.
template <class V, class F>
inline void for_window_blocks(const PoolAxis& axis, F body) {
  for (int64_t o = 0, count; o < axis.out; o += count) {
    const PoolSpan taps = pixels_of_window(axis, o);
    int64_t whole = (axis.in - axis.kernel - axis.start) / axis.stride + 1 - o;
    if (whole > axis.out - o) whole = axis.out - o;
    count = axis.start + o * axis.stride < 0 || whole < 1 ? 1 : whole < V::size ? whole : V::size;
    body(o, count, taps);
  }
}

// index: for each y which of its window's taps it is; null when not wanted.
template <class V>
void max_pool_channels(const PoolAxis& axis, const typename V::T* x, int64_t pixels, typename V::T* y,
                       uint16_t* index) {
  using Lanes = Taps<V, uint16_t>;
  for (int64_t pixel = 0; pixel < pixels; ++pixel, x += axis.in, y += axis.out) {
    for_window_blocks<V>(axis, [&](int64_t o, int64_t count, PoolSpan taps) {
      V largest = LargestValue<V>::least();
      typename Lanes::Raw which{};
      for (int64_t tap = taps.begin; tap < taps.end; ++tap) {
        const V v = load_taps<V>(x + tap, axis.stride, count);
        const auto larger = LargestValue<V>::beats(v, largest);
        largest = {larger ? v.raw : largest.raw};
        which = larger ? Lanes::broadcast(tap - taps.begin) : which;
      }
      store_upto(largest, y + o, count);
      if (index != nullptr) Lanes::store(which, index + pixel * axis.out + o, count);
    });
  }
}

template <class V>
void max_pool_channels_gradient(const PoolAxis& axis, const typename V::T* dy, const uint16_t* index, int64_t pixels,
                                typename V::T* dx) {
  for (int64_t pixel = 0; pixel < pixels; ++pixel, dx += axis.in, dy += axis.out, index += axis.out) {
    zero_run<V>(dx, axis.in);
    for (int64_t o = 0; o < axis.out; ++o) dx[pixels_of_window(axis, o).begin + index[o]] += dy[o];
  }
}

template <class V>
void avg_pool_channels(const PoolAxis& axis, const typename V::T* x, int64_t pixels, typename V::T* y) {
  using T = typename V::T;
  for (int64_t pixel = 0; pixel < pixels; ++pixel, x += axis.in, y += axis.out) {
    for_window_blocks<V>(axis, [&](int64_t o, int64_t count, PoolSpan taps) {
      V sum{};
      for (int64_t tap = taps.begin; tap < taps.end; ++tap) sum = sum + load_taps<V>(x + tap, axis.stride, count);
      store_upto(sum / V::broadcast(static_cast<T>(taps.end - taps.begin)), y + o, count);
    });
  }
}

template <class V>
void avg_pool_channels_gradient(const PoolAxis& axis, const typename V::T* dy, int64_t pixels, typename V::T* dx) {
  using T = typename V::T;
  for (int64_t pixel = 0; pixel < pixels; ++pixel, dx += axis.in, dy += axis.out) {
    zero_run<V>(dx, axis.in);
    for (int64_t o = 0; o < axis.out; ++o) {
      const PoolSpan taps = pixels_of_window(axis, o);
      const T share = dy[o] / static_cast<T>(taps.end - taps.begin);
      for (int64_t tap = taps.begin; tap < taps.end; ++tap) dx[tap] += share;
    }
  }
}

}  // namespace fastcnn::generic
