// Kernels of the convolution that reads its windows where they lie in the image, without columns. C headers
// only: ISA files include this.
//
// Where pixels and their channels are contiguous, so are the taps of one kernel row: a "run". An undilated
// kernel row over all channels of x is one run, else each tap is one.
#pragma once

#include <stdint.h>

#include "ops/activation_function.h"

namespace fastcnn {

// Rows of y, in one tile of its channels, from one image.
template <class T>
struct ImplicitRows {
  int64_t row_begin, row_end;  // of y
  int64_t pixels;              // of a row of y

  // Kernel row kh of row r of y lies in the row r * stride_h - pad_h + kh * dilation_h of x, where it is
  // passed over if that is not in [0, h_in). Only [kh_begin, kh_end) of the k_h are taken.
  int64_t k_h, kh_begin, kh_end;
  int64_t stride_h, pad_h, dilation_h, h_in;
  int64_t runs, run, run_step;  // of one kernel row: their number, their length, from one to the next in x

  const T* x;     // the first tap of the first pixel, in row x_first
  int64_t x_first;
  int64_t x_row, x_pixel;  // from one row to the next, from one pixel's window to the next
  const T* w;              // [k_h][runs * run][cols, rounded up to whole vectors]
  int64_t cols;            // channels; at most ImplicitKernels::cols
  const T* ahead;          // as many weights that are needed next: they come into the cache meanwhile; null for none
  T* y;                    // pixel 0 of row 0
  int64_t y_row, y_pixel;

  bool begin;      // sums begin with the bias, else with what y holds
  const T* bias;   // null for none
  bool finish;     // sums are complete: y = f(sum + residual)
  const T* residual;  // laid out as y; null for none
  Activation activation;
};

// c[i][j] (+)= sum over images, rows and pixels of a[i] b[j], both contiguous at each pixel: the gradient of
// a kernel row from a row of x and of dy.
template <class T>
struct ImplicitOuter {
  int64_t images, rows, pixels;
  const T* a;
  int64_t a_image, a_row, a_pixel;
  int64_t m;
  const T* b;
  int64_t b_image, b_row, b_pixel;
  int64_t n;
  T* c;
  int64_t ldc;
  bool add;  // to what c holds; else c is written
};

template <class T>
struct ImplicitKernels {
  int64_t rows, cols;  // the largest register tile: pixels x channels
  int64_t lanes;       // of a vector
  void (*correlate)(const ImplicitRows<T>& rows);
  void (*outer)(const ImplicitOuter<T>& sums);
};

}  // namespace fastcnn
