// Pooling of channels-last images, vectorised over channels.
#pragma once

#include <stdint.h>
#include <string.h>

#include "cpu/generic/columns.h"
#include "cpu/generic/runs.h"
#include "cpu/generic/vec.h"
#include "cpu/generic/windows.h"
#include "cpu/windows.h"

namespace fastcnn::generic {

// Tap numbers, one per lane of V: in registers as wide as V's elements, in memory as Index.
template <class V, class Index>
struct Taps {
  typedef decltype(typename V::Raw{} > typename V::Raw{}) Raw;
  typedef Index Packed __attribute__((vector_size(V::size * sizeof(Index))));

  static Raw broadcast(int64_t tap) {
    auto lane = Raw{}[0];
    lane = static_cast<decltype(lane)>(tap);
    return Raw{} + lane;
  }
  static Raw load(const Index* p, int64_t count) {
    Packed packed{};
    if (count == V::size) {
      memcpy(&packed, p, sizeof(packed));
    } else {
      for (int64_t i = 0; i < count; ++i) packed[i] = p[i];
    }
    return __builtin_convertvector(packed, Raw);
  }
  static void store(Raw taps, Index* p, int64_t count) {
    const Packed packed = __builtin_convertvector(taps, Packed);
    if (count == V::size) {
      memcpy(p, &packed, sizeof(packed));
    } else {
      for (int64_t i = 0; i < count; ++i) p[i] = packed[i];
    }
  }
};

// Calls body(first channel, count) for blocks of V::size channels; count < V::size only in the last.
template <class V, class F>
inline void for_channels(int64_t channels, F body) {
  int64_t c = 0;
  for (; c + V::size <= channels; c += V::size) body(c, int64_t{V::size});
  if (c < channels) body(c, channels - c);
}

// The same for a body that may do a channel twice: where one block fits, all are whole, and the last overlaps
// the one before.
template <class V, class F>
inline void cover_channels(int64_t channels, F body) {
  if (channels < V::size) return body(int64_t{0}, channels);
  int64_t c = 0;
  for (; c + V::size <= channels; c += V::size) body(c, int64_t{V::size});
  if (c < channels) body(channels - V::size, int64_t{V::size});
}

template <class V>
inline V load(const typename V::T* p, int64_t count) {
  return count == V::size ? V::load(p) : V::load_partial(p, count);
}

template <class V>
inline void store(V v, typename V::T* p, int64_t count) {
  count == V::size ? v.store(p) : v.store_partial(p, count);
}

// The largest values alone, several vectors of channels at a time. Ties and NaN as in max_pool2d.
template <class V>
inline void max_of_window(const Windows2d& g, const WindowInImage<V>& window, int64_t channels,
                          const typename V::T* image, typename V::T* y) {
  for_column_blocks<V>(channels, [&](auto columns, int64_t c) {
    V largest[columns.vectors];
    for (V& v : largest) v = V::broadcast(-static_cast<typename V::T>(__builtin_inf()));
    window.for_taps(g, [&](int64_t, int64_t position) {
      for (int i = 0; i < columns.vectors; ++i) {
        const V v = columns.load(image + position * channels + c, i);
        largest[i] = {(v.raw > largest[i].raw) | (v.raw != v.raw) ? v.raw : largest[i].raw};
      }
    });
    for (int i = 0; i < columns.vectors; ++i) columns.store(largest[i], y + c, i);
  });
}

// The largest value, and the first tap that holds it. NaN is larger than anything, the last one seen
// largest of all, as in PyTorch.
template <class V, class Index>
void max_pool2d(const Windows2d& g, int64_t channels, const typename V::T* x, int64_t pixel_begin,
                int64_t pixel_end, typename V::T* y, Index* index) {
  using Lanes = Taps<V, Index>;
  PixelCursor<V> at(g, pixel_begin);
  for (int64_t pixel = pixel_begin; pixel < pixel_end; ++pixel, at.advance(g)) {
    const WindowInImage<V> window(g, at.row, at.col, 0, g.h_in);
    const typename V::T* image = x + at.image * g.h_in * g.w_in * channels;
    if (index == nullptr) {
      max_of_window<V>(g, window, channels, image, y + pixel * channels);
      continue;
    }
    cover_channels<V>(channels, [&](int64_t c, int64_t count) {
      V largest{};
      typename Lanes::Raw which{};
      bool first = true;
      window.for_taps(g, [&](int64_t tap, int64_t position) {
        const V v = load<V>(image + position * channels + c, count);
        const typename Lanes::Raw number = Lanes::broadcast(tap);
        if (first) {
          largest = v;
          which = number;
          first = false;
        } else {
          const auto larger = (v.raw > largest.raw) | (v.raw != v.raw);
          largest = {larger ? v.raw : largest.raw};
          which = larger ? number : which;
        }
      });
      store(largest, y + pixel * channels + c, count);
      Lanes::store(which, index + pixel * channels + c, count);
    });
  }
}

// Calls body(window, pixel) for the output pixels of one image whose windows reach into its rows
// [row_begin, row_end), seeing only those.
template <class V, class F>
inline void for_windows_of_band(const Windows2d& g, int64_t row_begin, int64_t row_end, F body) {
  const RowRange rows = windows_of_band(g, row_begin, row_end);
  for (int64_t row = rows.begin; row < rows.end; ++row)
    for (int64_t col = 0; col < g.w_out; ++col)
      body(WindowInImage<V>(g, row, col, row_begin, row_end), row * g.w_out + col);
}

// Whether no two windows share a pixel, and whether each pixel is in one.
template <class V>
struct WindowsApart {
  bool apart, everywhere;

  explicit WindowsApart(const Windows2d& g) {
    apart = g.stride_h > (g.k_h - 1) * g.dilation_h && g.stride_w > (g.k_w - 1) * g.dilation_w;
    everywhere = apart && g.stride_h == g.k_h && g.stride_w == g.k_w && g.h_out * g.k_h - g.pad_h >= g.h_in &&
                 g.w_out * g.k_w - g.pad_w >= g.w_in;
  }
};

template <class V, class Index>
void max_pool2d_gradient(const Windows2d& g, int64_t channels, const typename V::T* dy, const Index* index,
                         int64_t row_begin, int64_t row_end, typename V::T* dx) {
  using Lanes = Taps<V, Index>;
  const WindowsApart<V> windows(g);
  if (!windows.everywhere) zero_run<V>(dx + row_begin * g.w_in * channels, (row_end - row_begin) * g.w_in * channels);
  for_windows_of_band<V>(g, row_begin, row_end, [&](const WindowInImage<V>& window, int64_t pixel) {
    const auto send = [&](int64_t c, int64_t count, auto put) {
      const V gradient = load<V>(dy + pixel * channels + c, count);
      const typename Lanes::Raw which = Lanes::load(index + pixel * channels + c, count);
      window.for_taps(g, [&](int64_t tap, int64_t position) {
        put(V{which == Lanes::broadcast(tap) ? gradient.raw : V{}.raw}, dx + position * channels + c);
      });
    };
    if (windows.apart) {
      cover_channels<V>(channels, [&](int64_t c, int64_t count) {
        send(c, count, [count](V part, typename V::T* target) { store(part, target, count); });
      });
    } else {
      for_channels<V>(channels, [&](int64_t c, int64_t count) {
        send(c, count, [count](V part, typename V::T* target) {
          store(load<V>(target, count) + part, target, count);
        });
      });
    }
  });
}

template <class V>
inline typename V::T divisor(const Windows2d& g, bool count_include_pad, const WindowInImage<V>& window) {
  if (!count_include_pad) return static_cast<typename V::T>(window.rows.count() * window.cols.count());
  // Padding counts, but not what ceil mode adds beyond it.
  const int64_t rows = g.h_in + g.pad_h - window.h_start;
  const int64_t cols = g.w_in + g.pad_w - window.w_start;
  return static_cast<typename V::T>((rows < g.k_h ? rows : g.k_h) * (cols < g.k_w ? cols : g.k_w));
}

template <class V>
void avg_pool2d(const Windows2d& g, int64_t channels, bool count_include_pad, const typename V::T* x,
                int64_t pixel_begin, int64_t pixel_end, typename V::T* y) {
  PixelCursor<V> at(g, pixel_begin);
  for (int64_t pixel = pixel_begin; pixel < pixel_end; ++pixel, at.advance(g)) {
    const WindowInImage<V> window(g, at.row, at.col, 0, g.h_in);
    const V count_of_taps = V::broadcast(divisor(g, count_include_pad, window));
    const typename V::T* image = x + at.image * g.h_in * g.w_in * channels;
    for_channels<V>(channels, [&](int64_t c, int64_t count) {
      V sum{};
      window.for_taps(
          g, [&](int64_t, int64_t position) { sum = sum + load<V>(image + position * channels + c, count); });
      store(sum / count_of_taps, y + pixel * channels + c, count);
    });
  }
}

template <class V>
void avg_pool2d_gradient(const Windows2d& g, int64_t channels, bool count_include_pad,
                         const typename V::T* dy, int64_t row_begin, int64_t row_end, typename V::T* dx) {
  zero_run<V>(dx + row_begin * g.w_in * channels, (row_end - row_begin) * g.w_in * channels);
  for_windows_of_band<V>(g, row_begin, row_end, [&](const WindowInImage<V>& window, int64_t pixel) {
    // Of the whole window: what the band hides counts.
    const WindowInImage<V> whole(g, pixel / g.w_out, pixel % g.w_out, 0, g.h_in);
    const V count_of_taps = V::broadcast(divisor(g, count_include_pad, whole));
    for_channels<V>(channels, [&](int64_t c, int64_t count) {
      const V part = load<V>(dy + pixel * channels + c, count) / count_of_taps;
      window.for_taps(g, [&](int64_t, int64_t position) {
        typename V::T* target = dx + position * channels + c;
        store(load<V>(target, count) + part, target, count);
      });
    });
  });
}

}  // namespace fastcnn::generic
