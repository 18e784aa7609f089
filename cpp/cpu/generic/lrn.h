// Local response normalisation across the channels of channels-last pixels (Krizhevsky, Sutskever and
// Hinton 2012, section 3.3, with alpha divided by the window's size). Window sums are `size` shifted loads
// from a row padded with zeros, which stays in L1. A load that spans stores waits until they have left the
// processor's buffer, so what one pixel needs is written while another one is computed: rows come in pairs.
// Backward recomputes s: that costs less than reading it.
#pragma once

#include <stdint.h>

#include "cpu/generic/elementwise.h"
#include "cpu/generic/vec.h"
#include "cpu/kernels.h"

namespace fastcnn::generic {

// s^-beta for the beta of AlexNet, without pow.
template <class V>
struct PowerThreeQuarters {
  V operator()(V s) const {
    const V root = sqrt(s);
    return V::broadcast(1) / (root * sqrt(root));
  }
};

template <class V>
struct PowerOneHalf {
  V operator()(V s) const { return V::broadcast(1) / sqrt(s); }
};

template <class V>
struct PowerOne {
  V operator()(V s) const { return V::broadcast(1) / s; }
};

// Exact to a few units in the last place of beta log(s).
template <class V>
struct PowerAny {
  V minus_beta;
  V operator()(V s) const { return exp(minus_beta * log(s)); }
};

// Calls body(functor) with s -> s^-beta.
template <class V, class Body>
inline void with_power(double beta, Body body) {
  if (beta == 0.75) return body(PowerThreeQuarters<V>{});
  if (beta == 0.5) return body(PowerOneHalf<V>{});
  if (beta == 1.0) return body(PowerOne<V>{});
  body(PowerAny<V>{V::broadcast(static_cast<typename V::T>(-beta))});
}

// A row of channels between `before` zeros and as many behind it as the last window reads past the end.
template <class V>
struct PaddedRow {
  using T = typename V::T;
  T* data;
  int64_t before;

  PaddedRow(T* memory, int64_t before, int64_t channels, int64_t size) : data(memory), before(before) {
    for (int64_t i = 0; i < channels + size + V::size; ++i) data[i] = 0;
  }
  T* row() const { return data + before; }
  // Sums over [i - before, i - before + size) for the V::size channels from i on.
  V window(int64_t i, int64_t size) const {
    V sum = V::load(data + i);
    for (int64_t d = 1; d < size; ++d) sum = sum + V::load(data + i + d);
    return sum;
  }
};

template <class V>
inline V load_upto(const typename V::T* p, int64_t count) {
  return count >= V::size ? V::load(p) : V::load_partial(p, count);
}

template <class V>
inline void store_upto(V v, typename V::T* p, int64_t count) {
  if (count >= V::size)
    v.store(p);
  else
    v.store_partial(p, count);
}

template <class V>
void lrn(const Lrn& p, const typename V::T* x, typename V::T* y, int64_t pixels, int64_t channels,
         typename V::T* scratch) {
  using T = typename V::T;
  const V k = V::broadcast(static_cast<T>(p.k));
  const V scale = V::broadcast(static_cast<T>(p.alpha / static_cast<double>(p.size)));
  const int64_t row = p.scratch(channels) / 4;
  const PaddedRow<V> pair[] = {{scratch, p.size / 2, channels, p.size}, {scratch + row, p.size / 2, channels, p.size}};
  const auto square = [&](int64_t pixel) {
    if (pixel < pixels) map<V>(x + pixel * channels, pair[pixel % 2].row(), channels, [](V v) { return v * v; });
  };
  square(0);
  with_power<V>(p.beta, [&](auto power) {
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      square(pixel + 1);
      const PaddedRow<V>& squares = pair[pixel % 2];
      const int64_t at = pixel * channels;
      for (int64_t i = 0; i < channels; i += V::size) {
        const V s = k + scale * squares.window(i, p.size);
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
  const PaddedRow<V> squares[] = {{scratch, p.size / 2, channels, p.size},
                                  {scratch + row, p.size / 2, channels, p.size}};
  // The channels whose windows hold i are the mirror image of the window of i.
  const PaddedRow<V> terms[] = {{scratch + 2 * row, (p.size - 1) / 2, channels, p.size},
                                {scratch + 3 * row, (p.size - 1) / 2, channels, p.size}};
  const auto square = [&](int64_t pixel) {
    if (pixel < pixels) map<V>(x + pixel * channels, squares[pixel % 2].row(), channels, [](V v) { return v * v; });
  };
  square(0);
  with_power<V>(p.beta, [&](auto power) {
    for (int64_t pixel = 0; pixel <= pixels; ++pixel) {
      square(pixel + 1);
      const int64_t at = pixel * channels;
      for (int64_t i = 0; i < channels && pixel < pixels; i += V::size) {
        const int64_t count = channels - i;
        const V s = k + scale * squares[pixel % 2].window(i, p.size);
        const V direct = load_upto<V>(dy + at + i, count) * power(s);
        store_upto(direct * load_upto<V>(x + at + i, count) / s, terms[pixel % 2].row() + i, count);
        store_upto(direct, dx + at + i, count);
      }
      const int64_t before = at - channels;  // the pixel whose terms are complete
      for (int64_t i = 0; i < channels && pixel > 0; i += V::size) {
        const int64_t count = channels - i;
        const V indirect = slope * load_upto<V>(x + before + i, count) * terms[(pixel - 1) % 2].window(i, p.size);
        store_upto(load_upto<V>(dx + before + i, count) - indirect, dx + before + i, count);
      }
    }
  });
}

}  // namespace fastcnn::generic
