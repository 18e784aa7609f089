// Winograd's transforms of whole blocks of tiles, and of weights. See winograd_points.h for the mathematics.
#pragma once

#include "backend/cpu/generic/elementwise.h"
#include "backend/cpu/generic/pack.h"
#include "backend/cpu/generic/vec.h"
#include "backend/cpu/generic/winograd_points.h"
#include "backend/cpu/kernels.h"

namespace fastcnn::generic {

// A tile of the batch: where its corner lies.
template <class V>
struct TileCursor {
  int64_t image, row, col;  // counted in tiles

  TileCursor(const WinogradTiles& g, int64_t tile)
      : image(tile / (g.rows * g.cols)), row(tile / g.cols % g.rows), col(tile % g.cols) {}
  void advance(const WinogradTiles& g) {
    if (++col < g.cols) return;
    col = 0;
    if (++row < g.rows) return;
    row = 0;
    ++image;
  }
};

// Transforms windows of F::in x F::in pixels, Step apart, by f.
template <class V, int Step, class F>
void winograd_tiles(const WinogradTiles& g, const typename V::T* x, int64_t pixel_stride, int64_t channels,
                    int64_t begin, int64_t end, const WinogradMatrix<typename V::T>& out) {
  using T = typename V::T;
  constexpr int window = F::in;
  constexpr int64_t max_channels = 16 * V::size;
  const T zeros[max_channels] = {};
  const int64_t position_stride = out.position_stride;
  TileCursor<V> at(g, g.first + begin);
  for (int64_t tile = begin; tile < end; ++tile, at.advance(g)) {
    const int64_t h = at.row * Step - g.pad_h;
    const int64_t w = at.col * Step - g.pad_w;
    const int64_t corner = ((at.image * g.h + h) * g.w + w) * pixel_stride;
    T* to = out.data + tile / out.rows * out.panel_stride + tile % out.rows * V::size;
    for (int64_t first = 0; first < channels; first += max_channels) {
      const T* pixel[window][window];
      if (h >= 0 && h + window <= g.h && w >= 0 && w + window <= g.w) {
        const T* row = x + corner + first;
        for (int i = 0; i < window; ++i, row += g.w * pixel_stride) {
          for (int j = 0; j < window; ++j) pixel[i][j] = row + j * pixel_stride;
        }
      } else {
        for (int i = 0; i < window; ++i) {
          const bool row_inside = h + i >= 0 && h + i < g.h;
          for (int j = 0; j < window; ++j) {
            const bool inside = row_inside && w + j >= 0 && w + j < g.w;
            pixel[i][j] = inside ? x + corner + (i * g.w + j) * pixel_stride + first : zeros;
          }
        }
      }
      const int64_t count = channels - first < max_channels ? channels - first : max_channels;
      const auto transform = [&](int64_t c, auto load) {
        T* next = to + (first + c) * out.rows;
        winograd_transform<V>(
            F{}, [&](int i, int j) { return load(pixel[i][j] + c); },
            [&](int, int, V value) {
              value.store(next);
              next += position_stride;
            });
      };
      int64_t c = 0;
      for (; c + V::size <= count; c += V::size) transform(c, [](const T* p) { return V::load(p); });
      if (c < count) transform(c, [left = count - c](const T* p) { return V::load_partial(p, left); });
    }
  }
}

// y = f(A^T m A + bias + residual) for tiles of M x M pixels, less what lies outside of the image. Identity
// and ReLU are one maximum in registers; the others follow when a tile is written.
template <class V, int Alpha, int M>
void winograd_output(const WinogradTiles& g, const WinogradMatrix<const typename V::T>& m, int64_t channels,
                     int64_t begin, int64_t end, const typename V::T* bias, const typename V::T* residual,
                     Activation f, typename V::T* y, int64_t pixel_stride) {
  using T = typename V::T;
  const bool in_registers = f.kind == Activation::Kind::identity || f.kind == Activation::Kind::relu;
  const V floor = V::broadcast(f.kind == Activation::Kind::relu ? T{0} : static_cast<T>(-__builtin_inf()));
  const int64_t position_stride = m.position_stride;
  const int64_t row_stride = g.w * pixel_stride;
  TileCursor<V> at(g, g.first + begin);
  for (int64_t tile = begin; tile < end; ++tile, at.advance(g)) {
    const int64_t rows = g.h - at.row * M < M ? g.h - at.row * M : M;
    const int64_t cols = g.w - at.col * M < M ? g.w - at.col * M : M;
    const int64_t corner = ((at.image * g.h + at.row * M) * g.w + at.col * M) * pixel_stride;
    const bool simple = rows == M && cols == M && residual == nullptr;
    for (int64_t c = 0; c < channels; c += V::size) {
      const int64_t left = channels - c;
      const bool whole = left >= V::size;
      const V b = bias == nullptr ? V{} : whole ? V::load(bias + c) : V::load_partial(bias + c, left);
      const T* next = m.data + tile * m.panel_stride + c;
      // Rows are columns here and the other way round, so that positions are loaded in their order.
      const auto load = [&](int, int) {
        const V value = V::load(next);
        next += position_stride;
        return value;
      };
      const auto finish = [&](V value) -> V { return {value.raw < floor.raw ? floor.raw : value.raw}; };
      if (simple && whole) {
        T* to = y + corner + c;
        winograd_transform<V>(WinogradCollect<V, Alpha, M, false>{}, load, [&](int j, int i, V value) {
          finish(value + b).store(to + i * row_stride + j * pixel_stride);
        });
        continue;
      }
      winograd_transform<V>(WinogradCollect<V, Alpha, M, false>{}, load, [&](int j, int i, V value) {
        if (i >= rows || j >= cols) return;
        const int64_t at_y = corner + i * row_stride + j * pixel_stride + c;
        value = value + b;
        if (residual != nullptr)
          value = value + (whole ? V::load(residual + at_y) : V::load_partial(residual + at_y, left));
        value = finish(value);
        whole ? value.store(y + at_y) : value.store_partial(y + at_y, left);
      });
    }
    if (in_registers) continue;
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j) {
        T* pixel = y + corner + i * row_stride + j * pixel_stride;
        activation<V>(f, pixel, pixel, channels);
      }
    }
  }
}

// Whole images of dx: the windows B m B^T of their tiles, summed where they overlap. `sums` holds the windows of one
// image, whole vectors of channels at each pixel.
template <class V, int Alpha, int M>
void winograd_input_gradient(const WinogradTiles& g, const WinogradMatrix<const typename V::T>& m, int64_t channels,
                             int64_t images, typename V::T* sums, typename V::T* dx, int64_t pixel_stride) {
  using T = typename V::T;
  const int64_t pixel = (channels + V::size - 1) / V::size * V::size;
  const int64_t row = (g.cols * M + Alpha - M) * pixel;
  const int64_t position_stride = m.position_stride;
  const T* tile = m.data;
  for (int64_t image = 0; image < images; ++image) {
    for (int64_t i = 0; i < (g.rows * M + Alpha - M) * row; i += V::size) V{}.store(sums + i);
    for (int64_t i = 0; i < g.rows * g.cols; ++i, tile += m.panel_stride) {
      T* window = sums + i / g.cols * M * row + i % g.cols * M * pixel;
      for (int64_t c = 0; c < pixel; c += V::size) {
        const T* next = tile + c;
        // Turned over its diagonal, so that positions are loaded in their order.
        winograd_transform_rows<V, 0, Alpha>(
            WinogradInputTransposed<V, Alpha>{},
            [&](int, int) {
              const V value = V::load(next);
              next += position_stride;
              return value;
            },
            [&](int x, int y, V value) {
              T* sum = window + y * row + x * pixel + c;
              (V::load(sum) + value).store(sum);
            });
      }
    }
    for (int64_t h = 0; h < g.h; ++h) {
      const T* sum = sums + (h + g.pad_h) * row + g.pad_w * pixel;
      for (int64_t w = 0; w < g.w; ++w, sum += pixel, dx += pixel_stride) {
        int64_t c = 0;
        for (; c + V::size <= channels; c += V::size) V::load(sum + c).store(dx + c);
        if (c < channels) V::load(sum + c).store_partial(dx + c, channels - c);
      }
    }
  }
}

// G g G^T of `outputs` <= GemmKernels::cols filters, for the product over input channels: their vectors hold
// output channels, so blocks of the weights are transposed on the way.
template <class V, int Alpha, int R>
void winograd_weights(const typename V::T* w, int64_t c_in, int64_t inputs, int64_t outputs,
                      int64_t position_stride, typename V::T* u) {
  using T = typename V::T;
  constexpr int64_t cols = V::Isa::gemm_vectors * V::size;
  for (int64_t out = 0; out < outputs; out += V::size) {
    const int64_t last = outputs - out < V::size ? outputs - out - 1 : V::size - 1;
    for (int64_t in = 0; in < inputs; in += V::size) {
      const int64_t count = inputs - in < V::size ? inputs - in : V::size;
      V taps[R * R][V::size];
      for (int tap = 0; tap < R * R; ++tap) {
        const T* block = w + (out * R * R + tap) * c_in + in;
        V v[V::size];
#pragma GCC unroll 16
        for (int i = 0; i < V::size; ++i) {
          const T* line = block + (i < last ? i : last) * R * R * c_in;
          v[i] = count == V::size ? V::load(line) : V::load_partial(line, count);
        }
        transpose(v);
#pragma GCC unroll 16
        for (int i = 0; i < V::size; ++i) taps[tap][i] = v[i];
      }
      for (int64_t i = 0; i < count; ++i) {
        T* next = u + (in + i) * cols + out;
        winograd_transform<V>(
            WinogradEvaluate<V, Alpha, R, true>{}, [&](int row, int col) { return taps[row * R + col][i]; },
            [&](int, int, V value) {
              value.store(next);
              next += position_stride;
            });
      }
    }
  }
}

// The same for the product over output channels, of the filters turned round or as they are: their vectors hold
// `inputs` <= GemmKernels::cols input channels.
template <class V, int Alpha, int R, bool Turned>
void winograd_weights_to_inputs(const typename V::T* w, int64_t c_in, int64_t inputs, int64_t outputs,
                             int64_t position_stride, typename V::T* u) {
  using T = typename V::T;
  constexpr int64_t cols = V::Isa::gemm_vectors * V::size;
  for (int64_t out = 0; out < outputs; ++out) {
    const T* filter = w + out * R * R * c_in;
    for (int64_t in = 0; in < inputs; in += V::size) {
      const int64_t left = inputs - in;
      T* next = u + out * cols + in;
      winograd_transform<V>(
          WinogradEvaluate<V, Alpha, R, true>{},
          [&](int row, int col) {
            const int index = Turned ? (R - 1 - row) * R + R - 1 - col : row * R + col;
            const T* tap = filter + index * c_in + in;
            return left >= V::size ? V::load(tap) : V::load_partial(tap, left);
          },
          [&](int, int, V value) {
            value.store(next);
            next += position_stride;
          });
    }
  }
}

// dw = G^T du G.
template <class V, int Alpha, int R>
void winograd_weight_gradient(const WinogradMatrix<const typename V::T>& du, int64_t inputs, int64_t outputs,
                              typename V::T* dw, int64_t c_in) {
  using T = typename V::T;
  const int64_t position_stride = du.position_stride;
  for (int64_t out = 0; out < outputs; ++out) {
    const T* from = du.data + out * du.panel_stride;
    T* filter = dw + out * R * R * c_in;
    for (int64_t in = 0; in < inputs; in += V::size) {
      const int64_t left = inputs - in;
      const T* next = from + in;
      winograd_transform<V>(
          WinogradCollect<V, Alpha, R, true>{},
          [&](int, int) {
            const V value = V::load(next);
            next += position_stride;
            return value;
          },
          [&](int col, int row, V value) {
            T* tap = filter + (row * R + col) * c_in + in;
            left >= V::size ? value.store(tap) : value.store_partial(tap, left);
          });
    }
  }
}

}  // namespace fastcnn::generic
