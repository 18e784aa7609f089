// Pooling of channels-last images, vectorised over channels.
#pragma once

#include <stdint.h>
#include <string.h>

#include "backend/cpu/generic/columns.h"
#include "backend/cpu/generic/runs.h"
#include "backend/cpu/generic/vec.h"
#include "ops/pooling.h"

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
  // Of all lanes, whatever they are for.
  static Raw load(const Index* p) {
    if constexpr (requires { V::Isa::widen(p, Raw{}); }) {
      return V::Isa::widen(p, Raw{});
    } else {
      Packed packed;
      memcpy(&packed, p, sizeof(packed));
      return __builtin_convertvector(packed, Raw);
    }
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

// Calls body(window, first, pixel) for the output pixels [begin, end) of the batch; first is where in x the
// window's first pixel lies.
template <class V, class F>
inline void for_windows(const Pooling& p, const typename V::T* x, int64_t begin, int64_t end, F body) {
  constexpr int64_t line = 64 / sizeof(typename V::T);
  const int64_t x_row = p.w.in * p.channels;
  PoolWindow window;
  window.row = begin / p.w.out % p.h.out;
  window.col = begin % p.w.out;
  const typename V::T* x_image = x + begin / p.w.out / p.h.out * p.h.in * x_row;
  for (int64_t pixel = begin; pixel < end; ++window.row) {
    if (window.row == p.h.out) {
      window.row = 0;
      x_image += p.h.in * x_row;
    }
    window.rows = pixels_of_window(p.h, window.row);
    // What the next row of windows reads for the first time comes into the cache meanwhile, a part with each pixel.
    const int64_t next_end = window.row + 1 < p.h.out ? pixels_of_window(p.h, window.row + 1).end
                                                      : p.h.in + pixels_of_window(p.h, 0).end;
    const int64_t part = (next_end - window.rows.end) * x_row / p.w.out;
    for (; window.col < p.w.out && pixel < end; ++window.col, ++pixel) {
      const typename V::T* ahead = x_image + window.rows.end * x_row + window.col * part;
      for (int64_t i = 0; i < part; i += line) __builtin_prefetch(ahead + i, 0, 2);
      window.cols = pixels_of_window(p.w, window.col);
      body(window, x_image + window.rows.begin * x_row + window.cols.begin * p.channels, pixel);
    }
    window.col = 0;
  }
}

// What wins a window. NaN is larger than anything, the last one seen largest of all, as in PyTorch.
template <class V>
struct LargestValue {
  static V least() { return V::broadcast(-static_cast<typename V::T>(__builtin_inf())); }
  static auto beats(V v, V other) { return (v.raw > other.raw) | (v.raw != v.raw); }
};

template <class V>
struct LargestMagnitude {
  static V least() { return V{}; }
  static auto beats(V v, V other) { return (abs(v).raw > abs(other).raw) | (v.raw != v.raw); }
};

template <class V, class Index, class Order>
inline void pool_winners(const Pooling& p, const typename V::T* x, int64_t pixel_begin, int64_t pixel_end,
                         typename V::T* y, Index* index) {
  using T = typename V::T;
  using Lanes = Taps<V, Index>;
  const int64_t channels = p.channels, tap_row = max_pixels_of_window(p.w);
  for_windows<V>(p, x, pixel_begin, pixel_end, [&](const PoolWindow& window, const T* first, int64_t pixel) {
    const int64_t window_h = window.rows.end - window.rows.begin, window_w = window.cols.end - window.cols.begin;
    cover_column_blocks<V>(channels, [&](auto columns, int64_t c) {
      constexpr int n = columns.vectors;
      V largest[n];
      for (V& v : largest) v = Order::least();
      const auto for_taps = [&](auto take) {
        const T* row = first + c;
        for (int64_t h = 0; h < window_h; ++h, row += p.w.in * channels) {
          const T* tap = row;
          for (int64_t w = 0; w < window_w; ++w, tap += channels)
            for (int i = 0; i < n; ++i) take(columns.load(tap, i), i, h * tap_row + w);
        }
      };
      if (index == nullptr) {
        for_taps([&](V v, int i, int64_t) {
          largest[i] = {Order::beats(v, largest[i]) ? v.raw : largest[i].raw};
        });
      } else {
        typename Lanes::Raw which[n] = {};
        for_taps([&](V v, int i, int64_t tap) {
          const auto larger = Order::beats(v, largest[i]);
          largest[i] = {larger ? v.raw : largest[i].raw};
          which[i] = larger ? Lanes::broadcast(tap) : which[i];
        });
        for (int i = 0; i < n; ++i)
          Lanes::store(which[i], index + pixel * channels + c + i * V::size, columns.lanes());
      }
      for (int i = 0; i < n; ++i) columns.store(largest[i], y + pixel * channels + c, i);
    });
  });
}

// y: the largest element of each window. index: the first tap that holds it.
template <class V, class Index>
void max_pool2d(const Pooling& p, const typename V::T* x, int64_t pixel_begin, int64_t pixel_end, typename V::T* y,
                Index* index) {
  if (p.kind == PoolKind::max_abs)
    pool_winners<V, Index, LargestMagnitude<V>>(p, x, pixel_begin, pixel_end, y, index);
  else
    pool_winners<V, Index, LargestValue<V>>(p, x, pixel_begin, pixel_end, y, index);
}

template <class V, bool v>
struct Constant {
  static constexpr bool value = v;
};

// Calls body(one_each) with a constant that says whether each pixel of x is in one window and no more.
template <class V, class F>
inline void with_cover(const Pooling& p, F body) {
  const auto is_cut = [](const PoolAxis& axis) {
    if (axis.kernel == 0) return axis.in % axis.out == 0;
    return axis.stride == axis.kernel && axis.start <= 0 && axis.start + axis.out * axis.kernel >= axis.in;
  };
  if (is_cut(p.h) && is_cut(p.w))
    body(Constant<V, true>{});
  else
    body(Constant<V, false>{});
}

// Writes the rows [row_begin, row_end) of dx of one image. What a window sends to its taps: sender(columns, oh, ow,
// c) for the columns from channel c on; of that, sent(tap, i) is vector i.
template <class V, class F>
inline void scatter_gradient(const Pooling& p, int64_t row_begin, int64_t row_end, typename V::T* dx, F sender) {
  using T = typename V::T;
  const int64_t x_row = p.w.in * p.channels, tap_row = max_pixels_of_window(p.w);
  with_cover<V>(p, [&](auto one_each) {
    if constexpr (!one_each.value) zero_run<V>(dx + row_begin * x_row, (row_end - row_begin) * x_row);
    int64_t oh = windows_of_pixel(p.h, row_begin, {0, 0}).begin;
    for (PoolSpan rows; oh < p.h.out && (rows = pixels_of_window(p.h, oh)).begin < row_end; ++oh) {
      const int64_t hidden = rows.begin < row_begin ? row_begin - rows.begin : 0;
      if (rows.end > row_end) rows.end = row_end;
      for (int64_t ow = 0; ow < p.w.out; ++ow) {
        const PoolSpan cols = pixels_of_window(p.w, ow);
        T* const first = dx + (rows.begin + hidden) * x_row + cols.begin * p.channels;
        for_column_blocks<V>(p.channels, [&](auto columns, int64_t c) {
          const auto sent = sender(columns, oh, ow, c);
          T* row = first + c;
          for (int64_t h = hidden; h < rows.end - rows.begin; ++h, row += x_row) {
            T* target = row;
            for (int64_t w = 0; w < cols.end - cols.begin; ++w, target += p.channels)
              for (int i = 0; i < columns.vectors; ++i) {
                const V v = sent(h * tap_row + w, i);
                columns.store(one_each.value ? v : columns.load(target, i) + v, target, i);
              }
          }
        });
      }
    }
  });
}

// What a window sends to a tap of vector i.
template <class V, class Index, int vectors>
struct ToWinner {
  using Lanes = Taps<V, Index>;
  V gradient[vectors];
  typename Lanes::Raw winner[vectors];
  V operator()(int64_t tap, int i) const {
    return {winner[i] == Lanes::broadcast(tap) ? gradient[i].raw : V{}.raw};
  }
};

template <class V, int vectors>
struct ToEachTap {
  V share[vectors];
  V operator()(int64_t, int i) const { return share[i]; }
};

template <class V, class Index>
void pool_winners_gradient(const Pooling& p, int64_t dy_row, const typename V::T* dy, const Index* index,
                           int64_t row_begin, int64_t row_end, typename V::T* dx) {
  using Lanes = Taps<V, Index>;
  scatter_gradient<V>(p, row_begin, row_end, dx, [&](auto columns, int64_t oh, int64_t ow, int64_t c) {
    ToWinner<V, Index, columns.vectors> sender;
    const int64_t at = ((oh - dy_row) * p.w.out + ow) * p.channels + c;
    for (int i = 0; i < columns.vectors; ++i) {
      sender.gradient[i] = columns.load(dy + at, i);
      sender.winner[i] = Lanes::load(index + at + i * V::size);
    }
    return sender;
  });
}

template <class V>
void avg_pool2d(const Pooling& p, const typename V::T* x, int64_t pixel_begin, int64_t pixel_end, typename V::T* y) {
  using T = typename V::T;
  const int64_t channels = p.channels;
  for_windows<V>(p, x, pixel_begin, pixel_end, [&](const PoolWindow& window, const T* first, int64_t pixel) {
    const V divisor = V::broadcast(static_cast<T>(divisor_of_window(p, window.row, window.col)));
    cover_column_blocks<V>(channels, [&](auto columns, int64_t c) {
      V sums[columns.vectors] = {};
      const T* row = first + c;
      for (int64_t h = window.rows.begin; h < window.rows.end; ++h, row += p.w.in * channels) {
        const T* tap = row;
        for (int64_t w = window.cols.begin; w < window.cols.end; ++w, tap += channels)
          for (int i = 0; i < columns.vectors; ++i) sums[i] = sums[i] + columns.load(tap, i);
      }
      for (int i = 0; i < columns.vectors; ++i) columns.store(sums[i] / divisor, y + pixel * channels + c, i);
    });
  });
}

template <class V>
void avg_pool2d_gradient(const Pooling& p, int64_t dy_row, const typename V::T* dy, int64_t row_begin,
                         int64_t row_end, typename V::T* dx) {
  using T = typename V::T;
  scatter_gradient<V>(p, row_begin, row_end, dx, [&](auto columns, int64_t oh, int64_t ow, int64_t c) {
    ToEachTap<V, columns.vectors> sender;
    const V divisor = V::broadcast(static_cast<T>(divisor_of_window(p, oh, ow)));
    const T* gradient = dy + ((oh - dy_row) * p.w.out + ow) * p.channels + c;
    for (int i = 0; i < columns.vectors; ++i) sender.share[i] = columns.load(gradient, i) / divisor;
    return sender;
  });
}

}  // namespace fastcnn::generic
