// Convolution straight from the image: the GEMM's register tile, whose a is not packed but read where it
// lies. The tile is of pixels of one row of y by channels; a step along a run of taps broadcasts one element
// of each pixel's window and loads one row of the packed weights.
#pragma once

#include "cpu/generic/epilogue.h"
#include "cpu/generic/vec.h"
#include "cpu/generic/windows.h"
#include "cpu/implicit.h"

namespace fastcnn::generic {

template <int... I>
struct Numbers {};
template <int N, int... I>
struct NumbersBelow : NumbersBelow<N - 1, N - 1, I...> {};
template <int... I>
struct NumbersBelow<0, I...> {
  using type = Numbers<I...>;
};

// Equally spaced elements, addressed out of few registers: a base for each seven of them, and 1, 3 and 5
// steps, which the addressing modes of a CPU multiply by 2 and 4.
template <class V>
struct Spaced {
  using T = typename V::T;
  int64_t step, step3, step5;  // bytes

  explicit Spaced(int64_t elements)
      : step(elements * static_cast<int64_t>(sizeof(T))), step3(3 * step), step5(5 * step) {}

  template <int I>
  V broadcast(const T* const (&base)[3]) const {
    constexpr int i = I % 7;
    const int64_t offset = i == 0   ? 0
                           : i == 1 ? step
                           : i == 2 ? step * 2
                           : i == 3 ? step3
                           : i == 4 ? step * 4
                           : i == 5 ? step5
                                    : step3 * 2;
    return V::broadcast(*reinterpret_cast<const T*>(reinterpret_cast<const char*>(base[I / 7]) + offset));
  }
};

// One tile: kernel rows [kh_begin, kh_end) from x, the first of them, with weights w.
template <class V>
using ImplicitTile = void (*)(const ImplicitRows<typename V::T>& r, int64_t kernel_rows, const typename V::T* x,
                              const typename V::T* w, typename V::T* y, const typename V::T* residual);

template <class V, int Pixels, int Vectors>
void implicit_tile(const ImplicitRows<typename V::T>& r, int64_t kernel_rows, const typename V::T* x,
                   const typename V::T* w, typename V::T* y, const typename V::T* residual) {
  using T = typename V::T;
  static_assert(Pixels <= 21);
  const int64_t last = r.cols - (Vectors - 1) * V::size;
  const auto load = [&](const T* p, int j) {
    return j + 1 < Vectors ? V::load(p + j * V::size) : V::load_partial(p + j * V::size, last);
  };

  V sum[Pixels][Vectors] = {};
  if (!r.begin) {
#pragma GCC unroll 32
    for (int i = 0; i < Pixels; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < Vectors; ++j) sum[i][j] = load(y + i * r.y_pixel, j);
  } else if (r.bias != nullptr) {
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) {
      const V b = load(r.bias, j);
#pragma GCC unroll 32
      for (int i = 0; i < Pixels; ++i) sum[i][j] = b;
    }
  }

  const Spaced<V> pixels(r.x_pixel);
  const int64_t kernel_row = r.dilation_h * r.x_row;
  for (int64_t kh = 0; kh < kernel_rows; ++kh, x += kernel_row) {
    const T* start = x;
    for (int64_t k = 0; k < r.runs; ++k, start += r.run_step) {
      const T* base[3] = {start, start + 7 * r.x_pixel, start + 14 * r.x_pixel};
      for (int64_t p = 0; p < r.run; ++p) {
        V row[Vectors];
#pragma GCC unroll 4
        for (int j = 0; j < Vectors; ++j) row[j] = V::load(w + j * V::size);
        [&]<int... I>(Numbers<I...>) __attribute__((always_inline)) {
          const auto add = [&](V a, V(&line)[Vectors]) __attribute__((always_inline)) {
#pragma GCC unroll 4
            for (int j = 0; j < Vectors; ++j) line[j] = line[j] + a * row[j];
          };
          (add(pixels.template broadcast<I>(base), sum[I]), ...);
        }(typename NumbersBelow<Pixels>::type{});
        for (const T*& pointer : base) ++pointer;
        w += Vectors * V::size;
      }
    }
  }

  const bool relu = r.finish && r.activation.kind == Activation::Kind::relu;
#pragma GCC unroll 32
  for (int i = 0; i < Pixels; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) {
      V value = sum[i][j];
      if (residual != nullptr) value = value + load(residual + i * r.y_pixel, j);
      if (relu) value = Relu<V>{}(value);
      T* target = y + i * r.y_pixel + j * V::size;
      j + 1 < Vectors || last == V::size ? value.store(target) : value.store_partial(target, last);
    }
  }
}

template <class V, int Vectors, int Pixels = V::Isa::gemm_rows>
inline ImplicitTile<V> implicit_tile_for(int64_t pixels) {
  if constexpr (Pixels > 1) {
    if (pixels < Pixels) return implicit_tile_for<V, Vectors, Pixels - 1>(pixels);
  }
  return implicit_tile<V, Pixels, Vectors>;
}

template <class V, int Vectors = V::Isa::gemm_vectors>
inline ImplicitTile<V> implicit_tile_for(int64_t pixels, int64_t vectors) {
  if constexpr (Vectors > 1) {
    if (vectors < Vectors) return implicit_tile_for<V, Vectors - 1>(pixels, vectors);
  }
  return implicit_tile_for<V, Vectors>(pixels);
}

// `extent` in the fewest parts of at most `most`, which differ by 1 at most: the longer ones first.
template <class V>
struct EvenParts {
  int64_t count, longer, length;  // `longer` of them have length + 1

  EvenParts(int64_t extent, int64_t most) : count((extent + most - 1) / most), longer(0), length(0) {
    if (count == 0) return;
    length = extent / count;
    longer = extent % count;
  }
};

template <class V>
void correlate(const ImplicitRows<typename V::T>& r) {
  using T = typename V::T;
  const int64_t vectors = (r.cols + V::size - 1) / V::size;
  const int64_t kernel_row = r.runs * r.run * vectors * V::size;
  const EvenParts<V> tiles(r.pixels, V::Isa::gemm_rows);
  const ImplicitTile<V> longer = implicit_tile_for<V>(tiles.length + 1, vectors);
  const ImplicitTile<V> shorter = implicit_tile_for<V>(tiles.length, vectors);
  const bool in_registers =
      r.activation.kind == Activation::Kind::identity || r.activation.kind == Activation::Kind::relu;
  for (int64_t row = r.row_begin; row < r.row_end; ++row) {
    const int64_t start = row * r.stride_h - r.pad_h;
    const TapRange<V> inside(start + r.kh_begin * r.dilation_h, r.kh_end - r.kh_begin, r.dilation_h, 0, r.h_in);
    const int64_t kh = r.kh_begin + inside.begin;
    const T* x = r.x + (start + kh * r.dilation_h - r.x_first) * r.x_row;
    const T* w = r.w + kh * kernel_row;
    T* y = r.y + row * r.y_row;
    const T* residual = r.finish && r.residual != nullptr ? r.residual + row * r.y_row : nullptr;
    int64_t pixel = 0;
    for (int64_t tile = 0; tile < tiles.count; ++tile) {
      const bool is_longer = tile < tiles.longer;
      (is_longer ? longer : shorter)(r, inside.count(), x + pixel * r.x_pixel, w, y + pixel * r.y_pixel,
                                     residual != nullptr ? residual + pixel * r.y_pixel : nullptr);
      pixel += tiles.length + is_longer;
    }
    if (r.finish && !in_registers)
      bias_activation<V>(y, r.pixels, r.cols, r.y_pixel, nullptr, nullptr, r.activation);
  }
}

}  // namespace fastcnn::generic
