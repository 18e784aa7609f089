// Windows that slide over the images of a batch, for convolution. C headers only: ISA files
// include this.
#pragma once

#include <stdint.h>

namespace fastcnn {

// Output row oh reads the input rows oh * stride_h - pad_h + kh * dilation_h, kh in [0, k_h), as far as
// they are in the image; columns alike.
struct Windows2d {
  int64_t h_in = 0, w_in = 0;
  int64_t h_out = 0, w_out = 0;
  int64_t k_h = 1, k_w = 1;
  int64_t stride_h = 1, stride_w = 1;
  int64_t pad_h = 0, pad_w = 0;
  int64_t dilation_h = 1, dilation_w = 1;
};

struct RowRange {
  int64_t begin, end;
};

// Output rows whose windows reach into the image rows [begin, end), which are not empty. Static: each file
// keeps its own copy, so that none compiled for a newer CPU serves an older one.
static inline RowRange windows_of_band(const Windows2d& g, int64_t begin, int64_t end) {
  const int64_t reach = (g.k_h - 1) * g.dilation_h;
  const int64_t first = begin + g.pad_h - reach + g.stride_h - 1;
  const int64_t last = (end - 1 + g.pad_h) / g.stride_h;
  return {first < 0 ? 0 : first / g.stride_h, last + 1 < g.h_out ? last + 1 : g.h_out};
}

}  // namespace fastcnn
