// Moving and adding short runs of contiguous elements.
#pragma once

#include <stdint.h>
#include <string.h>

#include "backend/cpu/generic/vec.h"

namespace fastcnn::generic {

// n < 2 * size elements by at most two moves of a fixed size, which may overlap.
template <class V, int size>
inline void copy_few(const typename V::T* source, typename V::T* target, int64_t n) {
  if constexpr (size > 0) {
    if (n < size) return copy_few<V, size / 2>(source, target, n);
    memcpy(target, source, size * sizeof(*source));
    memcpy(target + n - size, source + n - size, size * sizeof(*source));
  }
}

template <class V>
inline void copy_run(const typename V::T* source, typename V::T* target, int64_t n) {
  if (n < V::size) {
    if constexpr (requires { V::Isa::load_partial(source, n); }) {
      V::load_partial(source, n).store_partial(target, n);
    } else {
      copy_few<V, V::size / 2>(source, target, n);
    }
    return;
  }
  for (int64_t i = 0; i + V::size <= n; i += V::size) V::load(source + i).store(target + i);
  V::load(source + n - V::size).store(target + n - V::size);
}

// As far as there are elements: `count` may be more than a vector holds.
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
inline void add_run(const typename V::T* source, typename V::T* target, int64_t n) {
  int64_t i = 0;
  for (; i + V::size <= n; i += V::size) (V::load(target + i) + V::load(source + i)).store(target + i);
  if (i < n)
    (V::load_partial(target + i, n - i) + V::load_partial(source + i, n - i))
        .store_partial(target + i, n - i);
}

template <class V>
inline void zero_run(typename V::T* target, int64_t n) {
  int64_t i = 0;
  for (; i + V::size <= n; i += V::size) V{}.store(target + i);
  if (i < n) V{}.store_partial(target + i, n - i);
}

}  // namespace fastcnn::generic
