// Batch normalisation by its definition, one channel at a time: the oracle of the tests.
#pragma once

#include <cmath>
#include <cstdint>

#include "ops/activation_function.h"
#include "reference/activation.h"

namespace fastcnn::reference {

// One channel of a batch: element i of x, y and the residual lies at i * stride.
struct BatchNormChannel {
  std::int64_t count;
  std::int64_t stride;
  double mean = 0, variance = 1, eps = 0;
  double gamma = 1, beta = 0;
};

// The mean and the biased variance of the channel at x.
template <class T>
void moments(const T* x, BatchNormChannel& c) {
  c.mean = c.variance = 0;
  for (std::int64_t i = 0; i < c.count; ++i) c.mean += static_cast<double>(x[i * c.stride]);
  c.mean /= static_cast<double>(c.count);
  for (std::int64_t i = 0; i < c.count; ++i) {
    const double d = static_cast<double>(x[i * c.stride]) - c.mean;
    c.variance += d * d;
  }
  c.variance /= static_cast<double>(c.count);
}

// y = f(gamma (x - mean) / sqrt(variance + eps) + beta + residual).
template <class T>
void batch_norm(const BatchNormChannel& c, const Activation& f, const T* x, const T* residual, T* y) {
  for (std::int64_t i = 0; i < c.count * c.stride; i += c.stride) {
    const double normalized = (static_cast<double>(x[i]) - c.mean) / std::sqrt(c.variance + c.eps);
    const double added = residual != nullptr ? static_cast<double>(residual[i]) : 0.0;
    y[i] = static_cast<T>(activation(f, c.gamma * normalized + c.beta + added));
  }
}

}  // namespace fastcnn::reference
