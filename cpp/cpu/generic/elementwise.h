// Elementwise kernels.
#pragma once

#include <math.h>

#include "cpu/activation.h"
#include "cpu/generic/vec.h"

namespace fastcnn::generic {

// y[i] = f(x[i]) with a vector body; f takes and returns Vec.
template <class V, class F>
inline void map(const typename V::T* x, typename V::T* y, int64_t n, F f) {
  int64_t i = 0;
  for (; i + V::size <= n; i += V::size) f(V::load(x + i)).store(y + i);
  if (i < n) f(V::load_partial(x + i, n - i)).store_partial(y + i, n - i);
}

template <class V>
void add(const typename V::T* a, const typename V::T* b, typename V::T* y, int64_t n) {
  int64_t i = 0;
  for (; i + V::size <= n; i += V::size) (V::load(a + i) + V::load(b + i)).store(y + i);
  for (; i < n; ++i) y[i] = a[i] + b[i];
}

}  // namespace fastcnn::generic
