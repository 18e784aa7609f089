// All extents of one convolution.
#pragma once

#include <cstdint>

#include "ops/windows.h"

namespace fastcnn {

// x (n, c_in, h_in, w_in), w (c_out, c_in/groups, k_h, k_w), y (n, c_out, h_out, w_out).
struct Conv2dExtents : Windows2d {
  std::int64_t n = 0;
  std::int64_t c_in = 0;
  std::int64_t c_out = 0;
  std::int64_t groups = 1;

  std::int64_t group_in() const { return c_in / groups; }
  std::int64_t group_out() const { return c_out / groups; }
  std::int64_t taps() const { return k_h * k_w; }
  std::int64_t depth() const { return taps() * group_in(); }  // products summed in one element of y
  std::int64_t pixels() const { return n * h_out * w_out; }
  std::int64_t weights() const { return c_out * depth(); }
};

}  // namespace fastcnn
