// C headers only: ISA files include this.
#pragma once

#include <stdint.h>

namespace fastcnn {

// Local response normalisation: s = k + alpha / size * sum of x^2 over `size` neighbouring channels,
// y = x s^-beta. The window of channel i is [i - size / 2, i + (size - 1) / 2] or, where `blocked`, the one of
// [0, size), [size, 2 size), ... that holds i.
struct Lrn {
  int64_t size = 5;
  double alpha = 1e-4;
  double beta = 0.75;
  double k = 1.0;
  bool blocked = false;

  // Elements of scratch that the kernels need.
  int64_t scratch(int64_t channels) const { return 4 * (channels + size + 16); }
};

}  // namespace fastcnn
