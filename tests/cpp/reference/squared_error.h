// The squared error by its definition: the oracle of the tests.
#pragma once

#include <cstdint>

namespace fastcnn::reference {

// sum over i of (h[i] - y[i])^2.
template <class T>
double squared_error(const T* h, const T* y, std::int64_t count) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double d = static_cast<double>(h[i]) - static_cast<double>(y[i]);
    sum += d * d;
  }
  return sum;
}

}  // namespace fastcnn::reference
