// Sums of outer products over pixels: a register tile of elements of a x vectors of b, both read where they
// lie in the images.
#pragma once

#include "backend/cpu/generic/implicit.h"
#include "backend/cpu/generic/vec.h"
#include "backend/cpu/implicit.h"

namespace fastcnn::generic {

template <class V>
using OuterTile = void (*)(const ImplicitOuter<typename V::T>& s, const typename V::T* a, const typename V::T* b,
                           int64_t cols, typename V::T* c);

// Partial: the last vector holds cols - (Vectors - 1) * size elements, else all.
template <class V, int Rows, int Vectors, bool Partial>
void outer_tile(const ImplicitOuter<typename V::T>& s, const typename V::T* a, const typename V::T* b, int64_t cols,
                typename V::T* c) {
  using T = typename V::T;
  const int64_t last = cols - (Vectors - 1) * V::size;
  const auto load = [&](const T* p, int j) {
    return Partial && j + 1 == Vectors ? V::load_partial(p + j * V::size, last) : V::load(p + j * V::size);
  };
  V sum[Rows][Vectors] = {};
  for (int64_t image = 0; image < s.images; ++image) {
    for (int64_t row = 0; row < s.rows; ++row) {
      const T* left = a + image * s.a_image + row * s.a_row;
      const T* right = b + image * s.b_image + row * s.b_row;
      for (int64_t pixel = 0; pixel < s.pixels; ++pixel) {
        V v[Vectors];
#pragma GCC unroll 4
        for (int j = 0; j < Vectors; ++j) v[j] = load(right, j);
#pragma GCC unroll 32
        for (int i = 0; i < Rows; ++i) {
          const V x = V::broadcast(left[i]);
#pragma GCC unroll 4
          for (int j = 0; j < Vectors; ++j) sum[i][j] = sum[i][j] + x * v[j];
        }
        left += s.a_pixel;
        right += s.b_pixel;
      }
    }
  }
#pragma GCC unroll 32
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) {
      T* target = c + i * s.ldc;
      const V value = s.add ? load(target, j) + sum[i][j] : sum[i][j];
      Partial && j + 1 == Vectors ? value.store_partial(target + j * V::size, last)
                                  : value.store(target + j * V::size);
    }
  }
}

template <class V, int Vectors, bool Partial, int Rows = V::Isa::gemm_rows>
inline OuterTile<V> outer_tile_for(int64_t rows) {
  if constexpr (Rows > 1) {
    if (rows < Rows) return outer_tile_for<V, Vectors, Partial, Rows - 1>(rows);
  }
  return outer_tile<V, Rows, Vectors, Partial>;
}

template <class V, int Vectors = V::Isa::gemm_vectors>
inline OuterTile<V> partial_outer_tile_for(int64_t rows, int64_t vectors) {
  if constexpr (Vectors > 1) {
    if (vectors < Vectors) return partial_outer_tile_for<V, Vectors - 1>(rows, vectors);
  }
  return outer_tile_for<V, Vectors, true>(rows);
}

// A strip of b stays in the first-level cache while a passes by.
template <class V>
void outer(const ImplicitOuter<typename V::T>& s) {
  constexpr int64_t tile_cols = V::Isa::gemm_vectors * V::size;
  const EvenParts<V> tiles(s.m, V::Isa::gemm_rows);
  for (int64_t col = 0; col < s.n; col += tile_cols) {
    const int64_t cols = s.n - col < tile_cols ? s.n - col : tile_cols;
    const int64_t vectors = (cols + V::size - 1) / V::size;
    const auto tile_for = [&](int64_t rows) {
      return cols == tile_cols ? outer_tile_for<V, V::Isa::gemm_vectors, false>(rows)
                               : partial_outer_tile_for<V>(rows, vectors);
    };
    const OuterTile<V> longer = tile_for(tiles.length + 1);
    const OuterTile<V> shorter = tile_for(tiles.length);
    int64_t row = 0;
    for (int64_t tile = 0; tile < tiles.count; ++tile) {
      const bool is_longer = tile < tiles.longer;
      (is_longer ? longer : shorter)(s, s.a + row, s.b + col, cols, s.c + row * s.ldc + col);
      row += tiles.length + is_longer;
    }
  }
}

}  // namespace fastcnn::generic
