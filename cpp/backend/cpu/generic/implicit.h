// Convolution straight from the image: the GEMM's register tile, whose a is not packed but read where it
// lies. The tile is of pixels of one row of y, or of two rows of seven pixels, by channels; a step along a run
// of taps broadcasts one element of each pixel's window and loads one row of the packed weights.
#pragma once

#include "backend/cpu/generic/epilogue.h"
#include "backend/cpu/generic/numbers.h"
#include "backend/cpu/generic/vec.h"
#include "backend/cpu/generic/windows.h"
#include "backend/cpu/implicit.h"

namespace fastcnn::generic {

template <class T>
inline constexpr int64_t cache_line = 64 / sizeof(T);

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

// Where a tile reads and writes.
template <class T>
struct ImplicitTileAt {
  int64_t kernel_rows;  // from x on, with weights w
  const T* x;
  const T* w;
  T* y;
  const T* residual;
  int64_t x_seven, y_seven;  // from one pixel to the seventh after it
  const T* ahead;            // a line of this comes into the cache at each step; null for none

  ImplicitTileAt next(int64_t x_step, int64_t y_step) const {
    ImplicitTileAt at = *this;
    at.x += x_step;
    at.y += y_step;
    if (residual != nullptr) at.residual += y_step;
    return at;
  }
};

template <class V>
using ImplicitTile = void (*)(const ImplicitRows<typename V::T>& r, const ImplicitTileAt<typename V::T>& at);

template <class V, int Pixels, int Vectors>
void implicit_tile(const ImplicitRows<typename V::T>& r, const ImplicitTileAt<typename V::T>& at) {
  using T = typename V::T;
  static_assert(Pixels <= 21);
  const auto offset = [&](int i) { return i / 7 * at.y_seven + i % 7 * r.y_pixel; };
  const int64_t last = r.cols - (Vectors - 1) * V::size;
  const auto load = [&](const T* p, int j) {
    return j + 1 < Vectors ? V::load(p + j * V::size) : V::load_partial(p + j * V::size, last);
  };

  V sum[Pixels][Vectors] = {};
  if (!r.begin) {
#pragma GCC unroll 32
    for (int i = 0; i < Pixels; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < Vectors; ++j) sum[i][j] = load(at.y + offset(i), j);
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
  const T* x = at.x;
  const T* w = at.w;
  const T* ahead = at.ahead != nullptr ? at.ahead : w;
  const int64_t ahead_step = at.ahead != nullptr ? cache_line<T> : 0;
  for (int64_t kh = 0; kh < at.kernel_rows; ++kh, x += kernel_row) {
    const T* start = x;
    for (int64_t k = 0; k < r.runs; ++k, start += r.run_step) {
      const T* base[3] = {start, start + at.x_seven, start + 2 * at.x_seven};
      for (int64_t p = 0; p < r.run; ++p, ahead += ahead_step) {
        __builtin_prefetch(ahead, 0, 2);
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
  const bool relu6 = r.finish && r.activation.kind == Activation::Kind::relu6;
#pragma GCC unroll 32
  for (int i = 0; i < Pixels; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) {
      V value = sum[i][j];
      if (at.residual != nullptr) value = value + load(at.residual + offset(i), j);
      if (relu) value = Relu<V>{}(value);
      if (relu6) value = Relu6<V>{}(value);
      T* target = at.y + offset(i) + j * V::size;
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

// The weights that are needed after these, a part of them for each tile that is computed meanwhile.
template <class T>
struct WeightsAhead {
  const T* next;
  int64_t lines;

  // What a tile of so many steps may ask for.
  const T* take(int64_t steps) {
    if (lines < steps) return nullptr;
    const T* taken = next;
    next += steps * cache_line<T>;
    lines -= steps;
    return taken;
  }
};

template <class V>
void correlate(const ImplicitRows<typename V::T>& r) {
  using T = typename V::T;
  constexpr bool has_pairs = V::Isa::gemm_rows >= 14;
  const int64_t vectors = (r.cols + V::size - 1) / V::size;
  const int64_t steps = r.runs * r.run;  // of a kernel row
  const int64_t kernel_row = steps * vectors * V::size;
  const EvenParts<V> tiles(r.pixels, V::Isa::gemm_rows);
  const ImplicitTile<V> longer = implicit_tile_for<V>(tiles.length + 1, vectors);
  const ImplicitTile<V> shorter = implicit_tile_for<V>(tiles.length, vectors);
  const ImplicitTile<V> pair = implicit_tile_for<V>(has_pairs ? 14 : 1, vectors);
  const bool in_registers = is_in_registers<V>(r.activation);
  const auto inside = [&](int64_t row) {
    const int64_t start = row * r.stride_h - r.pad_h;
    return TapRange<V>(start + r.kh_begin * r.dilation_h, r.kh_end - r.kh_begin, r.dilation_h, 0, r.h_in);
  };
  WeightsAhead<T> ahead{r.ahead, r.ahead != nullptr ? (r.kh_end - r.kh_begin) * kernel_row / cache_line<T> : 0};
  for (int64_t row = r.row_begin; row < r.row_end; ++row) {
    const auto taps = inside(row);
    const int64_t kh = r.kh_begin + taps.begin;
    ImplicitTileAt<T> at{
        .kernel_rows = taps.count(),
        .x = r.x + (row * r.stride_h - r.pad_h + kh * r.dilation_h - r.x_first) * r.x_row,
        .w = r.w + kh * kernel_row,
        .y = r.y + row * r.y_row,
        .residual = r.finish && r.residual != nullptr ? r.residual + row * r.y_row : nullptr,
        .x_seven = 7 * r.x_pixel,
        .y_seven = 7 * r.y_pixel,
        .ahead = nullptr,
    };
    const auto activate = [&](T* y) {
      if (r.finish && !in_registers) bias_activation<V>(y, r.pixels, r.cols, r.y_pixel, nullptr, nullptr, r.activation);
    };
    T* y = at.y;
    if (has_pairs && r.pixels == 7 && row + 1 < r.row_end) {
      const auto below = inside(row + 1);
      if (below.begin == taps.begin && below.end == taps.end) {
        at.x_seven = r.stride_h * r.x_row;
        at.y_seven = r.y_row;
        at.ahead = ahead.take(taps.count() * steps);
        pair(r, at);
        activate(y);
        activate(y + r.y_row);
        ++row;
        continue;
      }
    }
    for (int64_t tile = 0; tile < tiles.count; ++tile) {
      const bool is_longer = tile < tiles.longer;
      const int64_t pixels = tiles.length + is_longer;
      at.ahead = ahead.take(taps.count() * steps);
      (is_longer ? longer : shorter)(r, at);
      at = at.next(pixels * r.x_pixel, pixels * r.y_pixel);
    }
    activate(y);
  }
}

}  // namespace fastcnn::generic
