// Going over the columns of a matrix, the channels of channels-last pixels, in blocks of whole vectors.
#pragma once

#include <stdint.h>

#include "backend/cpu/generic/vec.h"

namespace fastcnn::generic {

// Columns that are processed together: so many whole vectors, or a part of one.
template <class V, int count>
struct WholeVectors {
  static constexpr int vectors = count;
  int64_t lanes() const { return V::size; }  // of a vector that are columns
  V load(const typename V::T* p, int i) const { return V::load(p + i * V::size); }
  void store(V v, typename V::T* p, int i) const { v.store(p + i * V::size); }
  void stream(V v, typename V::T* p, int i) const { v.stream(p + i * V::size); }
};

template <class V>
struct PartOfVector {
  static constexpr int vectors = 1;
  int64_t count;
  int64_t lanes() const { return count; }
  V load(const typename V::T* p, int) const { return V::load_partial(p, count); }
  void store(V v, typename V::T* p, int) const { v.store_partial(p, count); }
  void stream(V v, typename V::T* p, int) const { v.store_partial(p, count); }
};

// Calls body(columns, first column) until all are done, four vectors at a time as long as there are four.
template <class V, class F>
inline void for_column_blocks(int64_t cols, F body) {
  int64_t j = 0;
  for (; j + 4 * V::size <= cols; j += 4 * V::size) body(WholeVectors<V, 4>{}, j);
  for (; j + 2 * V::size <= cols; j += 2 * V::size) body(WholeVectors<V, 2>{}, j);
  for (; j + V::size <= cols; j += V::size) body(WholeVectors<V, 1>{}, j);
  if (j < cols) body(PartOfVector<V>{cols - j}, j);
}

// The same for a body that may do a column twice: only where there is less than one vector it is a part of one,
// else the last one overlaps what was done.
template <class V, class F>
inline void cover_column_blocks(int64_t cols, F body) {
  if (cols < V::size) return body(PartOfVector<V>{cols}, int64_t{0});
  int64_t j = 0;
  for (; j + 4 * V::size <= cols; j += 4 * V::size) body(WholeVectors<V, 4>{}, j);
  for (; j + 2 * V::size <= cols; j += 2 * V::size) body(WholeVectors<V, 2>{}, j);
  for (; j + V::size <= cols; j += V::size) body(WholeVectors<V, 1>{}, j);
  if (j < cols) body(WholeVectors<V, 1>{}, cols - V::size);
}

// Whether all rows of `cols` elements from p on begin where Vec::stream can write.
template <class V>
inline bool can_stream(const typename V::T* p, int64_t cols) {
  return cols % V::size == 0 && reinterpret_cast<uintptr_t>(p) % sizeof(typename V::Raw) == 0;
}

}  // namespace fastcnn::generic
