// Softmax and its cross-entropy by their definitions: the oracle of the tests.
#pragma once

#include <cmath>
#include <cstdint>

namespace fastcnn::reference {

// One distribution: y[j * stride] = exp(x[j * stride]) / sum over j, shifted by the largest.
template <class T>
void softmax(const T* x, T* y, std::int64_t count, std::int64_t stride) {
  T largest = x[0];
  for (std::int64_t j = 0; j < count; ++j) largest = x[j * stride] > largest ? x[j * stride] : largest;
  T sum = 0;
  for (std::int64_t j = 0; j < count; ++j) sum += std::exp(x[j * stride] - largest);
  for (std::int64_t j = 0; j < count; ++j) y[j * stride] = std::exp(x[j * stride] - largest) / sum;
}

// -log softmax(x)[target].
template <class T>
T cross_entropy(const T* x, std::int64_t count, std::int64_t target) {
  T largest = x[0];
  for (std::int64_t j = 0; j < count; ++j) largest = x[j] > largest ? x[j] : largest;
  T sum = 0;
  for (std::int64_t j = 0; j < count; ++j) sum += std::exp(x[j] - largest);
  return std::log(sum) + largest - x[target];
}

}  // namespace fastcnn::reference
