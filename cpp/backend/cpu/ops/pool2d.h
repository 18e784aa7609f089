// What the kernels of pools have in common: cutting the work, an activation behind it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "backend/cpu/kernels.h"
#include "backend/cpu/op_kernel.h"
#include "core/ceil_div.h"
#include "core/parallel.h"
#include "ops/pool2d.h"

namespace fastcnn {

// Of backward with f: room for dy f'(y) of the windows of a band.
ScratchSize pool_scratch(const Pooling& p, const Activation& f, DType dtype);

// y = f(pooled x). pool(pixel_begin, pixel_end) makes output pixels; f follows while they are in the caches.
template <class T, class F>
void pool_forward(const Pooling& p, const Activation& f, const StepArgs& args, F pool) {
  const std::int64_t pixels = p.h.out * p.w.out;
  const std::int64_t bytes = (p.h.in * p.w.in / pixels + 1) * p.channels * std::int64_t{sizeof(T)};  // per pixel
  parallel_ranges(args.y[0].spec.shape[0] * pixels, bytes, [&](std::int64_t begin, std::int64_t end) {
    pool(begin, end);
    T* y = args.y[0].as<T>() + begin * p.channels;
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
void pool_backward(const Pooling& p, const Activation& f, const StepArgs& args, F unpool) {
  const std::int64_t y_row = p.w.out * p.channels;
  const std::int64_t rows = pool_band_rows(p);
  const std::int64_t bands = ceil_div(p.h.in, rows);
  const std::int64_t bytes = rows * p.w.in * p.channels * std::int64_t{sizeof(T)};
  parallel_for(args.dx[0].spec.shape[0] * bands, bytes, [&](std::int64_t task, int worker) {
    const std::int64_t begin = task % bands * rows, end = std::min(p.h.in, begin + rows);
    const PoolSpan windows{windows_of_pixel(p.h, begin, {0, 0}).begin, windows_of_pixel(p.h, end - 1, {0, 0}).end};
    const PoolBand band{.image = task / bands, .begin = begin, .end = end, .dy_row = windows.begin};
    const std::int64_t at = (band.image * p.h.out + band.dy_row) * y_row;
    const T* dz = args.dy[0].as<T>() + at;
    if (f.kind != Activation::Kind::identity) {
      T* room = args.scratch.of_worker<T>(worker);
      const T* y = args.y[0].as<T>();
      kernels<T>().activation_gradient(f, nullptr, y != nullptr ? y + at : nullptr, dz, room,
                                       (windows.end - windows.begin) * y_row);
      dz = room;
    }
    unpool(band, dz);
  });
}

// Calls body with the kernels for numbers of winners of the size that is saved.
template <class T, class F>
void with_pool_winners(const Pooling& p, F body) {
  if (winners_fit_bytes(p))
    body(kernels<T>().pool_winners_u8);
  else
    body(kernels<T>().pool_winners_i32);
}
// The gradient of pools that saved numbers of winners; it is wanted.
void pool_winners_backward(const Pooling& p, const Activation& f, const StepArgs& args);

}  // namespace fastcnn
