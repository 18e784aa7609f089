// Local response normalisation across the channels of channels-last pixels (Krizhevsky, Sutskever and
// Hinton 2012, section 3.3, with alpha divided by the window's size). Sums of sliding windows are `size` shifted loads
// from a row padded with zeros, which stays in L1. A load that spans stores waits until they have left the
// processor's buffer, so what one pixel needs is written while another one is computed: rows come in pairs.
// Backward recomputes s: that costs less than reading it.
#pragma once

#include <stdint.h>

#include "backend/cpu/generic/elementwise.h"
#include "backend/cpu/generic/power.h"
#include "backend/cpu/generic/runs.h"
#include "backend/cpu/generic/vec.h"
#include "backend/cpu/kernels.h"

namespace fastcnn::generic {

// A row of channels, of which windows are summed. They slide over a row between `before` zeros and as many behind it
// as the last window reads past the end; blocks are summed in place.
template <class V>
struct WindowRow {
  using T = typename V::T;
  T* data;
  int64_t before, taps;
  int64_t block;  // 0: windows slide

  // mirrored: sums over the channels whose windows hold this one.
  WindowRow(const Lrn& p, bool mirrored, int64_t channels, T* memory)
      : data(memory),
        before(p.blocked ? 0 : mirrored ? (p.size - 1) / 2 : p.size / 2),
        taps(p.blocked ? 1 : p.size),
        block(p.blocked ? p.size : 0) {
    for (int64_t i = 0; i < channels + p.size + V::size; ++i) data[i] = 0;
  }
  T* row() const { return data + before; }
  // After the row is written.
  void complete(int64_t channels) const {
    for (int64_t begin = 0; block > 0 && begin < channels; begin += block) {
      const int64_t end = channels - begin < block ? channels : begin + block;
      T sum = 0;
      for (int64_t i = begin; i < end; ++i) sum += data[i];
      for (int64_t i = begin; i < end; ++i) data[i] = sum;
    }
  }
  // The windows of the V::size channels from i on.
  V sums(int64_t i) const {
    V sum = V::load(data + i);
    for (int64_t d = 1; d < taps; ++d) sum = sum + V::load(data + i + d);
    return sum;
  }
};

template <class V>
void lrn(const Lrn& p, const typename V::T* x, typename V::T* y, int64_t pixels, int64_t channels,
         typename V::T* scratch) {
  using T = typename V::T;
  const V k = V::broadcast(static_cast<T>(p.k));
  const V scale = V::broadcast(static_cast<T>(p.alpha / static_cast<double>(p.size)));
  const int64_t row = p.scratch(channels) / 4;
  const WindowRow<V> pair[] = {{p, false, channels, scratch}, {p, false, channels, scratch + row}};
  const auto square = [&](int64_t pixel) {
    if (pixel >= pixels) return;
    map<V>(x + pixel * channels, pair[pixel % 2].row(), channels, [](V v) { return v * v; });
    pair[pixel % 2].complete(channels);
  };
  square(0);
  with_power<V>(p.beta, [&](auto power) {
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      square(pixel + 1);
      const WindowRow<V>& squares = pair[pixel % 2];
      const int64_t at = pixel * channels;
      for (int64_t i = 0; i < channels; i += V::size) {
        const V s = k + scale * squares.sums(i);
        store_upto(load_upto<V>(x + at + i, channels - i) * power(s), y + at + i, channels - i);
      }
    }
  });
}

template <class V>
void lrn_gradient(const Lrn& p, const typename V::T* x, const typename V::T* dy, typename V::T* dx, int64_t pixels,
                  int64_t channels, typename V::T* scratch) {
  using T = typename V::T;
  const V k = V::broadcast(static_cast<T>(p.k));
  const double alpha = p.alpha / static_cast<double>(p.size);
  const V scale = V::broadcast(static_cast<T>(alpha));
  const V slope = V::broadcast(static_cast<T>(2 * alpha * p.beta));
  const int64_t row = p.scratch(channels) / 4;
  const WindowRow<V> squares[] = {{p, false, channels, scratch}, {p, false, channels, scratch + row}};
  const WindowRow<V> terms[] = {{p, true, channels, scratch + 2 * row}, {p, true, channels, scratch + 3 * row}};
  const auto square = [&](int64_t pixel) {
    if (pixel >= pixels) return;
    map<V>(x + pixel * channels, squares[pixel % 2].row(), channels, [](V v) { return v * v; });
    squares[pixel % 2].complete(channels);
  };
  square(0);
  with_power<V>(p.beta, [&](auto power) {
    for (int64_t pixel = 0; pixel <= pixels; ++pixel) {
      square(pixel + 1);
      const int64_t at = pixel * channels;
      for (int64_t i = 0; i < channels && pixel < pixels; i += V::size) {
        const int64_t count = channels - i;
        const V s = k + scale * squares[pixel % 2].sums(i);
        const V direct = load_upto<V>(dy + at + i, count) * power(s);
        store_upto(direct * load_upto<V>(x + at + i, count) / s, terms[pixel % 2].row() + i, count);
        store_upto(direct, dx + at + i, count);
      }
      if (pixel == 0) continue;
      const int64_t before = at - channels;  // the pixel whose terms are written
      terms[(pixel - 1) % 2].complete(channels);
      for (int64_t i = 0; i < channels; i += V::size) {
        const int64_t count = channels - i;
        const V indirect = slope * load_upto<V>(x + before + i, count) * terms[(pixel - 1) % 2].sums(i);
        store_upto(load_upto<V>(dx + before + i, count) - indirect, dx + before + i, count);
      }
    }
  });
}

}  // namespace fastcnn::generic
