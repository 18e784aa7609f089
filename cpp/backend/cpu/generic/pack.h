// Packing for the GEMM: a matrix becomes panels in the order in which the microkernel reads them.
#pragma once

#include "backend/cpu/generic/vec.h"

namespace fastcnn::generic {

// Elements of a line of the caches.
template <class T>
inline constexpr int64_t cache_line = 64 / static_cast<int64_t>(sizeof(T));

template <int... I>
struct Indices {};
template <int N, int... I>
struct MakeIndices : MakeIndices<N - 1, N - 1, I...> {};
template <int... I>
struct MakeIndices<0, I...> {
  using type = Indices<I...>;
};

// Interleaves the halves of a and b that start at lane First: a0 b0 a1 b1 ...
template <int First, class V, int... I>
inline V zip(V a, V b, Indices<I...>) {
  return {__builtin_shufflevector(a.raw, b.raw, (First + I / 2 + I % 2 * V::size)...)};
}

// The V::size x V::size block in v, transposed in registers: log2(size) perfect shuffles.
template <class V, int Stages = V::size>
[[gnu::always_inline]] inline void transpose(V (&v)[V::size]) {
  if constexpr (Stages > 1) {
    using Lanes = typename MakeIndices<V::size>::type;
    constexpr int half = V::size / 2;
    V mixed[V::size];
#pragma GCC unroll 16
    for (int i = 0; i < half; ++i) {
      mixed[2 * i] = zip<0>(v[i], v[i + half], Lanes{});
      mixed[2 * i + 1] = zip<half>(v[i], v[i + half], Lanes{});
    }
    transpose<V, Stages / 2>(mixed);
#pragma GCC unroll 16
    for (int i = 0; i < V::size; ++i) v[i] = mixed[i];
  }
}

// V::size lines of V::size elements from x on, to rows of the panel. Lines past the last one are read as
// copies of it. What is a few steps ahead comes into the cache: few processors follow so many lines by themselves.
template <class V>
inline void pack_block_transposing(int64_t last_line, const typename V::T* x, int64_t ld, int64_t width,
                                   typename V::T* packed) {
  V v[V::size];
#pragma GCC unroll 16
  for (int i = 0; i < V::size; ++i) {
    const typename V::T* line = x + (i < last_line ? i : last_line) * ld;
    v[i] = V::load(line);
    __builtin_prefetch(line + 4 * cache_line<typename V::T>);
  }
  transpose(v);
#pragma GCC unroll 16
  for (int i = 0; i < V::size; ++i) v[i].store(packed + i * width);
}

// One panel of `count` <= width lines out of a source whose lines are contiguous in k. Vectors are stored
// whole: what they spill past a row of the panel is overwritten by the first chunk of the next, so the last chunk goes
// first. Each goes along all of k, because processors foresee few streams. The last block overlaps the one before, so
// nothing is read past a line.
template <class V>
inline void pack_panel_transposing(int64_t count, int64_t k, const typename V::T* x, int64_t ld, int64_t width,
                                   typename V::T* packed) {
  if (k < V::size) {
    for (int64_t p = 0; p < k; ++p) {
      for (int64_t i = 0; i < width; ++i) packed[p * width + i] = x[(i < count ? i : count - 1) * ld + p];
    }
    return;
  }
  for (int64_t first = (width - 1) / V::size * V::size; first >= 0; first -= V::size) {
    const int64_t line = first < count ? first : count - 1;
    for (int64_t p = 0; p < k; p += V::size) {
      const int64_t from = p < k - V::size ? p : k - V::size;
      pack_block_transposing<V>(count - 1 - line, x + line * ld + from, ld, width, packed + from * width + first);
    }
  }
}

// Rows that are copied together: few, so that the source is read in long stretches and its pages stay known.
constexpr int64_t pack_run = 16;

// Rows [from, to) of all panels out of a source whose lines lie side by side; vectors spill as above. The next run
// comes nearer meanwhile.
template <class V>
inline void pack_rows_copying(int64_t from, int64_t to, int64_t extent, int64_t k, const typename V::T* x,
                              int64_t ld, int64_t width, int64_t multiple, typename V::T* packed) {
  for (int64_t line = 0; line < extent; line += width) {
    const int64_t left = extent - line;
    const int64_t padded = left < width ? (left + multiple - 1) / multiple * multiple : width;
    typename V::T* panel = packed + line * k;
    for (int64_t p = from; p < to; ++p) {
      const typename V::T* row = x + p * ld + line;
      for (int64_t first = 0; first < padded; first += V::size) {
        __builtin_prefetch(row + first + pack_run * ld, 0, 2);
        const V v = first + V::size <= left ? V::load(row + first) : V::load_partial(row + first, left - first);
        if (p + 1 < k || first + V::size <= padded) {
          v.store(panel + p * padded + first);
        } else {  // the row behind is the next panel's first, and already there
          v.store_partial(panel + p * padded + first, padded - first);
        }
      }
    }
  }
}

template <class V>
void pack(bool k_contiguous, int64_t extent, int64_t k, const typename V::T* x, int64_t ld, int64_t width,
          int64_t multiple, typename V::T* packed) {
  if (!k_contiguous) {
    for (int64_t p = 0; p < k; p += pack_run) {
      pack_rows_copying<V>(p, p + pack_run < k ? p + pack_run : k, extent, k, x, ld, width, multiple, packed);
    }
    return;
  }
  for (int64_t line = 0; line < extent; line += width) {
    const int64_t left = extent - line;
    const int64_t count = left < width ? left : width;
    const int64_t padded = (count + multiple - 1) / multiple * multiple;
    pack_panel_transposing<V>(count, k, x + line * ld, ld, padded, packed + line * k);
  }
}

}  // namespace fastcnn::generic
