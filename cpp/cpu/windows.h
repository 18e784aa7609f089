// Windows that slide over the images of a batch, for convolution and pooling. C headers only: ISA files
// include this.
#pragma once

#include <stdint.h>

namespace fastcnn {

// Output row oh reads the input rows oh * stride_h - pad_h + kh * dilation_h, kh in [0, k_h), as far as
// they are in the image; columns alike. pad may be below 0: the windows then begin inside the image.
struct Windows2d {
  int64_t h_in = 0, w_in = 0;
  int64_t h_out = 0, w_out = 0;
  int64_t k_h = 1, k_w = 1;
  int64_t stride_h = 1, stride_w = 1;
  int64_t pad_h = 0, pad_w = 0;
  int64_t dilation_h = 1, dilation_w = 1;
};

}  // namespace fastcnn
