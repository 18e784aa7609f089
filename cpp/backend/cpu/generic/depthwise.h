// Depthwise convolution of channels-last images, row by row. Several outputs of a row are computed at once for
// a vector of channels: each input is loaded once for all outputs that it belongs to.
#pragma once

#include <stdint.h>

#include "backend/cpu/generic/columns.h"
#include "backend/cpu/generic/elementwise.h"
#include "backend/cpu/generic/vec.h"
#include "backend/cpu/kernels.h"

namespace fastcnn::generic {

// Identity, ReLU and ReLU6 as bounds; NaN stays NaN.
template <class V>
struct Bounds {
  using T = typename V::T;
  V low, high;

  explicit Bounds(Activation f)
      : low(V::broadcast(f.kind == Activation::Kind::identity ? -static_cast<T>(__builtin_inf()) : 0)),
        high(V::broadcast(f.kind == Activation::Kind::relu6 ? 6 : static_cast<T>(__builtin_inf()))) {}
  static bool express(Activation f) {
    return f.kind == Activation::Kind::identity || f.kind == Activation::Kind::relu ||
           f.kind == Activation::Kind::relu6;
  }
  V operator()(V z) const {
    z.raw = z.raw > high.raw ? high.raw : z.raw;
    return {z.raw < low.raw ? low.raw : z.raw};
  }
};

// Which columns under a tile are outside of the image.
enum class Outside { none, first, last, both, some };
constexpr int first_inside(Outside outside) { return outside == Outside::first || outside == Outside::both; }
constexpr int last_outside(Outside outside) { return outside == Outside::last || outside == Outside::both; }

// Calls tile.operator()<outside>() for columns [left, left + reach) of an image.
template <class F>
inline void with_outside(int64_t left, int64_t reach, int64_t width, F tile) {
  const int64_t right = left + reach - width;  // so many columns are past the end
  if (left >= 0 && right <= 0)
    tile.template operator()<Outside::none>();
  else if (left == -1 && right <= 0)
    tile.template operator()<Outside::first>();
  else if (left >= 0 && right == 1)
    tile.template operator()<Outside::last>();
  else if (left == -1 && right == 1)
    tile.template operator()<Outside::both>();
  else
    tile.template operator()<Outside::some>();
}

// Outputs [first, first + outputs) of the first `channels` channels, whole vectors. What tells where things lie comes by
// value, so that it need not be read again after each store.
template <class V, int taps, int stride, int outputs, Outside outside>
inline void depthwise_tile(const DepthwiseRow<typename V::T> r, const Bounds<V> bounds, int64_t channels,
                           int64_t first) {
  using T = typename V::T;
  constexpr int reach = (outputs - 1) * stride + taps;  // columns of the input
  constexpr int begin = first_inside(outside), end = reach - last_outside(outside);
  const int64_t left = r.start + first * stride;
  for (int64_t c = 0; c < channels; c += V::size) {
    const V bias = r.bias != nullptr ? V::load(r.bias + c) : V{};
    V sum[outputs];
#pragma GCC unroll 8
    for (int i = 0; i < outputs; ++i) sum[i] = bias;
    for (int64_t row = 0; row < r.rows; ++row) {
      const T* x = r.x + row * r.x_row_step + left * r.x_step + c;
      const T* w = r.w + row * r.w_row_step + c;
      V weight[taps];
      for (int k = 0; k < taps; ++k) weight[k] = V::load(w + k * r.w_step);
#pragma GCC unroll 64
      for (int j = begin; j < end; ++j) {
        if constexpr (outside == Outside::some) {
          if (left + j < 0 || left + j >= r.width) continue;
        }
        const V v = loaded(V::load(x + j * r.x_step));  // once for all taps
#pragma GCC unroll 8
        for (int k = 0; k < taps; ++k) {
          const int output = (j - k) / stride;
          if (j >= k && (j - k) % stride == 0 && output < outputs) sum[output] = sum[output] + v * weight[k];
        }
      }
    }
    const int64_t at = first * r.y_step + c;
    if (r.residual != nullptr) {
#pragma GCC unroll 8
      for (int i = 0; i < outputs; ++i) sum[i] = sum[i] + V::load(r.residual + at + i * r.y_step);
    }
#pragma GCC unroll 8
    for (int i = 0; i < outputs; ++i) bounds(sum[i]).store(r.y + at + i * r.y_step);
  }
}

// The first `channels` channels. As many tiles as fit, then smaller ones: widths of ImageNet's images are
// multiples of 7. Channels go by inside of a tile, so that memory is read and written in order.
template <class V, int taps, int stride, int outputs>
inline void depthwise_tiles(const DepthwiseRow<typename V::T>& r, const Bounds<V>& bounds, int64_t channels,
                            int64_t first) {
  for (; first + outputs <= r.outputs; first += outputs) {
    const int64_t left = r.start + first * stride;
    with_outside(left, (outputs - 1) * stride + taps, r.width, [&]<Outside outside>() {
      depthwise_tile<V, taps, stride, outputs, outside>(r, bounds, channels, first);
    });
  }
  if constexpr (outputs > 1) {
    if (first < r.outputs) depthwise_tiles<V, taps, stride, (outputs > 4 ? 4 : 1)>(r, bounds, channels, first);
  }
}

// One output after the other, whatever the taps.
template <class V, class Columns>
inline void depthwise_outputs(const DepthwiseRow<typename V::T>& r, const Bounds<V>& bounds, Columns columns,
                              int64_t c) {
  using T = typename V::T;
  for (int64_t output = 0; output < r.outputs; ++output) {
    const int64_t left = r.start + output * r.stride;
    V sum[Columns::vectors] = {};
    for (int64_t row = 0; row < r.rows; ++row)
      for (int64_t k = 0; k < r.taps; ++k) {
        const int64_t column = left + k * r.dilation;
        if (column < 0 || column >= r.width) continue;
        const T* x = r.x + row * r.x_row_step + column * r.x_step + c;
        const T* w = r.w + row * r.w_row_step + k * r.w_step + c;
        for (int i = 0; i < Columns::vectors; ++i) sum[i] = sum[i] + columns.load(x, i) * columns.load(w, i);
      }
    const int64_t at = output * r.y_step + c;
    for (int i = 0; i < Columns::vectors; ++i) {
      if (r.bias != nullptr) sum[i] = sum[i] + columns.load(r.bias + c, i);
      if (r.residual != nullptr) sum[i] = sum[i] + columns.load(r.residual + at, i);
      columns.store(bounds(sum[i]), r.y + at, i);
    }
  }
}

// Where there are tiles of these taps and this stride; else false.
template <class V>
inline bool depthwise_in_tiles(const DepthwiseRow<typename V::T>& r, const Bounds<V>& bounds, int64_t channels) {
  if (r.dilation != 1 && r.taps > 1) return false;
  switch (r.stride * 8 + r.taps) {
    case 8 + 1: depthwise_tiles<V, 1, 1, 7>(r, bounds, channels, 0); return true;
    case 8 + 2: depthwise_tiles<V, 2, 1, 7>(r, bounds, channels, 0); return true;
    case 8 + 3: depthwise_tiles<V, 3, 1, 7>(r, bounds, channels, 0); return true;
    case 8 + 5: depthwise_tiles<V, 5, 1, 7>(r, bounds, channels, 0); return true;
    case 16 + 3: depthwise_tiles<V, 3, 2, 7>(r, bounds, channels, 0); return true;
    case 16 + 5: depthwise_tiles<V, 5, 2, 7>(r, bounds, channels, 0); return true;
    default: return false;
  }
}

template <class V>
void depthwise_row(const DepthwiseRow<typename V::T>& r) {
  const bool bounded = Bounds<V>::express(r.f);
  const Bounds<V> bounds(bounded ? r.f : Activation{});
  int64_t c = r.channels / V::size * V::size;
  if (c > 0 && !depthwise_in_tiles(r, bounds, c)) c = 0;
  for_column_blocks<V>(r.channels - c,
                       [&](auto columns, int64_t j) { depthwise_outputs(r, bounds, columns, c + j); });
  if (bounded) return;
  for (int64_t i = 0; i < r.outputs; ++i) {
    typename V::T* y = r.y + i * r.y_step;
    activation<V>(r.f, y, y, r.channels);
  }
}

// Adds to `rows` rows of weights at once what `outputs` neighbouring gradients contribute.
template <class V, int rows, int taps, int stride, int outputs, Outside outside>
inline void depthwise_weights_tile(const DepthwiseWeightsRow<typename V::T>& r, const typename V::T* x,
                                   int64_t left, const typename V::T* dy, V (&sum)[rows][taps]) {
  constexpr int reach = (outputs - 1) * stride + taps;
  constexpr int begin = first_inside(outside), end = reach - last_outside(outside);
  V gradient[outputs];
  for (int i = 0; i < outputs; ++i) gradient[i] = V::load(dy + i * r.channels);
#pragma GCC unroll 8
  for (int row = 0; row < rows; ++row) {
#pragma GCC unroll 64
    for (int j = begin; j < end; ++j) {
      if constexpr (outside == Outside::some) {
        if (left + j < 0 || left + j >= r.width) continue;
      }
      const V v = loaded(V::load(x + row * r.x_row_step + j * r.channels));  // once for all taps
#pragma GCC unroll 8
      for (int k = 0; k < taps; ++k) {
        const int output = (j - k) / stride;
        if (j >= k && (j - k) % stride == 0 && output < outputs) sum[row][k] = sum[row][k] + v * gradient[output];
      }
    }
  }
}

template <class V, int taps, int stride, int rows>
inline void depthwise_weights_tiles(const DepthwiseWeightsRow<typename V::T>& r, int64_t c, int64_t row) {
  using T = typename V::T;
  constexpr int outputs = sizeof(V) == 64 ? 7 : 4;  // as many as registers hold beside the sums
  for (; row + rows <= r.rows; row += rows) {
    const T* x = r.x + row * r.x_row_step + c;
    T* dw = r.dw + row * r.dw_row_step + c;
    V sum[rows][taps];
    for (int i = 0; i < rows; ++i)
      for (int k = 0; k < taps; ++k) sum[i][k] = V::load(dw + i * r.dw_row_step + k * r.channels);
    int64_t i = 0;
    const auto add = [&]<int count>() {
      const int64_t left = r.start + i * stride;
      with_outside(left, (count - 1) * stride + taps, r.width, [&]<Outside outside>() {
        depthwise_weights_tile<V, rows, taps, stride, count, outside>(r, x + left * r.channels, left,
                                                                      r.dy + i * r.channels + c, sum);
      });
      i += count;
    };
    while (i + outputs <= r.outputs) add.template operator()<outputs>();
    while (i < r.outputs) add.template operator()<1>();
    for (int i = 0; i < rows; ++i)
      for (int k = 0; k < taps; ++k) sum[i][k].store(dw + i * r.dw_row_step + k * r.channels);
  }
  if constexpr (rows > 1) depthwise_weights_tiles<V, taps, stride, 1>(r, c, row);
}

template <class V, class Columns>
inline void depthwise_weights_any(const DepthwiseWeightsRow<typename V::T>& r, Columns columns, int64_t c) {
  using T = typename V::T;
  for (int64_t row = 0; row < r.rows; ++row)
    for (int64_t k = 0; k < r.taps; ++k) {
      T* dw = r.dw + row * r.dw_row_step + k * r.channels + c;
      V sum[Columns::vectors];
      for (int i = 0; i < Columns::vectors; ++i) sum[i] = columns.load(dw, i);
      for (int64_t output = 0; output < r.outputs; ++output) {
        const int64_t column = r.start + output * r.stride + k * r.dilation;
        if (column < 0 || column >= r.width) continue;
        const T* x = r.x + row * r.x_row_step + column * r.channels + c;
        const T* dy = r.dy + output * r.channels + c;
        for (int i = 0; i < Columns::vectors; ++i) sum[i] = sum[i] + columns.load(x, i) * columns.load(dy, i);
      }
      for (int i = 0; i < Columns::vectors; ++i) columns.store(sum[i], dw, i);
    }
}

// Nine or ten sums fit the registers of every ISA beside four gradients: 3 rows of 3 taps or 2 rows of 5.
template <class V>
inline bool depthwise_weights_in_tiles(const DepthwiseWeightsRow<typename V::T>& r, int64_t c) {
  if (r.dilation != 1) return false;
  switch (r.stride * 8 + r.taps) {
    case 8 + 3: depthwise_weights_tiles<V, 3, 1, 3>(r, c, 0); return true;
    case 8 + 5: depthwise_weights_tiles<V, 5, 1, 2>(r, c, 0); return true;
    case 16 + 3: depthwise_weights_tiles<V, 3, 2, 3>(r, c, 0); return true;
    case 16 + 5: depthwise_weights_tiles<V, 5, 2, 2>(r, c, 0); return true;
    default: return false;
  }
}

template <class V>
void depthwise_weights_row(const DepthwiseWeightsRow<typename V::T>& r) {
  int64_t c = r.channel_begin;
  while (c + V::size <= r.channel_end && depthwise_weights_in_tiles<V>(r, c)) c += V::size;
  for_column_blocks<V>(r.channel_end - c,
                       [&](auto columns, int64_t j) { depthwise_weights_any<V>(r, columns, c + j); });
}

}  // namespace fastcnn::generic
