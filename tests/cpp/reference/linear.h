// The fully connected layer by its definition: the oracle of the tests.
#pragma once

#include <cstdint>

#include "reference/activation.h"

namespace fastcnn::reference {

struct LinearExtents {
  std::int64_t n, features, out;
};

// y[i][o] = f(b[o] + sum over j of x[i][j] w[o][j]); b may be null.
template <class T>
void linear(const LinearExtents& e, const Activation& f, const T* x, const T* w, const T* b, T* y) {
  for (std::int64_t i = 0; i < e.n; ++i)
    for (std::int64_t o = 0; o < e.out; ++o) {
      T sum = b ? b[o] : T{0};
      for (std::int64_t j = 0; j < e.features; ++j) sum += x[i * e.features + j] * w[o * e.features + j];
      y[i * e.out + o] = activation(f, sum);
    }
}

}  // namespace fastcnn::reference
