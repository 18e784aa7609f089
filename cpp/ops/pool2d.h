// What the pools of images have in common: windows, attributes, checks, cutting the work, an activation behind it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/ceil_div.h"
#include "cpu/activation.h"
#include "cpu/kernels.h"
#include "cpu/pooling.h"
#include "ops/attributes.h"
#include "ops/op.h"
#include "ops/parallel.h"
#include "ops/window.h"

namespace fastcnn {

// The windows of an image, as many as fit: floor((in - start + pad - kernel) / stride) + 1, rounded up with
// ceil_mode, so that the last one may reach beyond the padding, less one that would begin beyond the image. That is
// PyTorch's size, and with ceil_mode and `start` cuda-convnet's.
struct PoolSpec {
  Pair kernel{0, 0};  // 0: adaptive, `output` windows share out the image
  Pair stride{1, 1};
  Pair pad{0, 0};
  bool ceil_mode = false;
  std::optional<Pair> start{};   // where the first window begins; -pad unless given
  std::optional<Pair> output{};  // how many windows there are instead
};

// kernel, stride (kernel), pad (0), ceil_mode (false), start and output; without kernel, output alone. Throws
// ValueError for neither of them, and where a window could lie outside of the image entirely: PyTorch's bound, padding
// of more than half a kernel, and a start that is a kernel away.
PoolSpec read_pool(Attributes& attributes);

// The attribute "activation" (identity) with a and b. Throws ValueError where its gradient can't be had from y.
Activation read_pool_activation(Attributes& attributes);

// Whether a pool that ends in f can end in g instead, f being applied first.
bool can_take_in(const Activation& f, const Activation& g);

// "MaxPool2d 3x3, stride=2, pad=1, ceil_mode", "AdaptiveMaxPool2d 6x6".
std::string describe_pool(std::string_view name, const PoolSpec& spec);
// ", relu"; nothing for identity.
std::string describe_pool_activation(const Activation& f);

// Output of pooling x (n, c, h, w).
Spec infer_pool(const PoolSpec& spec, Specs x);

// Throw ShapeError when not even one window fits, and when one would begin beyond the image. axis: 0 or 1 of spec,
// over `in` pixels "along the " so and so.
PoolAxis slide_pool_axis(const PoolSpec& spec, std::size_t axis, std::int64_t in, std::string_view along);
Pooling slide_pool(const PoolSpec& spec, const Shape& x, PoolKind kind);

// Of backward with f: room for dy f'(y) of the windows of a band.
ScratchSize pool_scratch(const Pooling& p, const Activation& f, DType dtype);

// y = f(pooled x). pool(pixel_begin, pixel_end) makes output pixels; f follows while they are in the caches.
template <class T, class F>
void pool_forward(const Pooling& p, const Activation& f, const ForwardArgs& args, F pool) {
  const std::int64_t pixels = p.h.out * p.w.out;
  const std::int64_t bytes = (p.h.in * p.w.in / pixels + 1) * p.channels * std::int64_t{sizeof(T)};  // per pixel
  parallel_ranges(args.y.spec.shape[0] * pixels, bytes, [&](std::int64_t begin, std::int64_t end) {
    pool(begin, end);
    T* y = args.y.as<T>() + begin * p.channels;
    if (f.kind != Activation::Kind::identity) kernels<T>().activation(f, y, y, (end - begin) * p.channels);
  });
}

// Rows [begin, end) of dx of an image, one task's. They are in windows of the rows of dy from dy_row on.
struct PoolBand {
  std::int64_t image, begin, end, dy_row;
};

// The rows of a band; the last one of an image may have less.
std::int64_t pool_band_rows(const Pooling& p);

// Calls unpool(band, dz) for all bands: dz = dy f'(y) from band.dy_row on.
template <class T, class F>
void pool_backward(const Pooling& p, const Activation& f, const BackwardArgs& args, F unpool) {
  const std::int64_t y_row = p.w.out * p.channels;
  const std::int64_t rows = pool_band_rows(p);
  const std::int64_t bands = ceil_div(p.h.in, rows);
  const std::int64_t bytes = rows * p.w.in * p.channels * std::int64_t{sizeof(T)};
  parallel_for(args.dx[0].spec.shape[0] * bands, bytes, [&](std::int64_t task, int worker) {
    const std::int64_t begin = task % bands * rows, end = std::min(p.h.in, begin + rows);
    const PoolSpan windows{windows_of_pixel(p.h, begin, {0, 0}).begin, windows_of_pixel(p.h, end - 1, {0, 0}).end};
    const PoolBand band{.image = task / bands, .begin = begin, .end = end, .dy_row = windows.begin};
    const std::int64_t at = (band.image * p.h.out + band.dy_row) * y_row;
    const T* dz = args.dy.as<T>() + at;
    if (f.kind != Activation::Kind::identity) {
      T* room = args.scratch.of_worker<T>(worker);
      const T* y = args.y.as<T>();
      kernels<T>().activation_gradient(f, nullptr, y != nullptr ? y + at : nullptr, dz, room,
                                       (windows.end - windows.begin) * y_row);
      dz = room;
    }
    unpool(band, dz);
  });
}

// Pools that hand on at most one element of each window save its number: in a byte where that suffices, else in four.
template <class T, class F>
void with_pool_winners(const Pooling& p, F body) {
  if (pool_taps(p) < 256)
    body(kernels<T>().pool_winners_u8);
  else
    body(kernels<T>().pool_winners_i32);
}
std::size_t pool_winners_bytes(const Pooling& p, std::int64_t images);
// Their gradient, which is wanted: `saved` has the numbers.
void pool_winners_backward(const Pooling& p, const Activation& f, const BackwardArgs& args);

}  // namespace fastcnn
