// What max and average pooling have in common: attributes, checks, and cutting the work.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "ops/attributes.h"
#include "ops/op.h"
#include "ops/parallel.h"
#include "ops/window.h"

namespace fastcnn {

// kernel, stride (kernel), pad (0), ceil_mode (false). Throws ValueError without a kernel, and for
// padding of more than half of it: such windows could lie in the padding entirely.
WindowSpec read_pool(Attributes& attributes);

// "MaxPool2d 3x3, stride=2, pad=1, ceil_mode".
std::string describe_pool(std::string_view name, const WindowSpec& spec);

// Output of pooling x (n, c, h, w).
Spec infer_pool(const WindowSpec& spec, Specs x);

// Calls body(pixel_begin, pixel_end) over the output pixels of the batch.
template <class F>
void for_pixel_ranges(const Windows2d& g, const Shape& y, F&& body) {
  parallel_ranges(y[0] * y[2] * y[3], 4 * y[1] * g.k_h * g.k_w, std::forward<F>(body));
}

// Calls body(image, row_begin, row_end) over bands of rows of x: a band's gradient is one task's alone.
template <class F>
void for_bands(const Windows2d& g, const Shape& x, F&& body) {
  const std::int64_t windows_per_pixel = (1 + (g.k_h - 1) / g.stride_h) * (1 + (g.k_w - 1) / g.stride_w);
  parallel_ranges(x[0] * x[2], 4 * x[1] * x[3] * windows_per_pixel, [&](std::int64_t row, std::int64_t end) {
    while (row < end) {
      const std::int64_t image = row / x[2];
      const std::int64_t begin = row % x[2];
      const std::int64_t rows = std::min(end - row, x[2] - begin);
      body(image, begin, begin + rows);
      row += rows;
    }
  });
}

}  // namespace fastcnn
