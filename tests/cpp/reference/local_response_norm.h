// Local response normalisation by its definition, and its gradient by the chain rule: the oracle of the tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "backend/cpu/kernels.h"

namespace fastcnn::reference {

// The channels of the window of channel i: from the first to the one before `end`.
struct LrnWindow {
  std::int64_t first, end;
  LrnWindow(const Lrn& p, std::int64_t channels, std::int64_t i) {
    const std::int64_t start = p.blocked ? i / p.size * p.size : i - p.size / 2;
    first = std::max<std::int64_t>(0, start);
    end = std::min(channels, start + p.size);
  }
};

// The denominator's base s of channel i; x points at the channels of one pixel.
template <class T>
T lrn_scale(const Lrn& p, const T* x, std::int64_t channels, std::int64_t i) {
  T sum = 0;
  const LrnWindow window(p, channels, i);
  for (std::int64_t j = window.first; j < window.end; ++j) sum += x[j] * x[j];
  return static_cast<T>(p.k) + static_cast<T>(p.alpha / static_cast<double>(p.size)) * sum;
}

template <class T>
void local_response_norm(const Lrn& p, const T* x, T* y, std::int64_t pixels, std::int64_t channels) {
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel, x += channels, y += channels)
    for (std::int64_t i = 0; i < channels; ++i)
      y[i] = x[i] * std::pow(lrn_scale(p, x, channels, i), static_cast<T>(-p.beta));
}

// dx[j] = sum over i of dy[i] dy_i/dx_j.
template <class T>
void local_response_norm_gradient(const Lrn& p, const T* x, const T* dy, T* dx, std::int64_t pixels,
                                  std::int64_t channels) {
  const T beta = static_cast<T>(p.beta);
  const T slope = static_cast<T>(2 * p.alpha / static_cast<double>(p.size));
  for (std::int64_t pixel = 0; pixel < pixels; ++pixel, x += channels, dy += channels, dx += channels)
    for (std::int64_t j = 0; j < channels; ++j) {
      dx[j] = 0;
      for (std::int64_t i = 0; i < channels; ++i) {
        const T s = lrn_scale(p, x, channels, i);
        if (i == j) dx[j] += dy[i] * std::pow(s, -beta);
        const LrnWindow window(p, channels, i);
        if (j >= window.first && j < window.end) dx[j] -= dy[i] * x[i] * beta * std::pow(s, -beta - 1) * slope * x[j];
      }
    }
}

}  // namespace fastcnn::reference
