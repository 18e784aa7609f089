// The table of kernels: plain function pointers with raw arguments, filled once per ISA by the spine
// cpu/isa/<isa>.cpp from the templates in cpu/generic/. C headers only: ISA files include this.
// A kernel runs on one thread over the part it is given; ops cut the work.
#pragma once

#include <stdint.h>

#include "cpu/activation.h"

namespace fastcnn {

template <class T>
struct Kernels {
  // Elementwise, n elements; in place allowed.
  void (*activation)(Activation f, const T* x, T* y, int64_t n);
  // dx = dy f'(x), from x for square and from y for all others; what is not needed may be null. dx may
  // be dy.
  void (*activation_gradient)(Activation f, const T* x, const T* y, const T* dy, T* dx, int64_t n);
  void (*add)(const T* a, const T* b, T* y, int64_t n);
  // sums[j] = sum over i of x[i * ldx + j], rows in order.
  void (*column_sums)(const T* x, int64_t rows, int64_t cols, int64_t ldx, T* sums);

  // Over contiguous rows; cols >= 1. In place allowed.
  void (*softmax)(const T* x, T* y, int64_t rows, int64_t cols);
  // dx = y (dy - sum of y dy over the row). dx may be dy.
  void (*softmax_gradient)(const T* y, const T* dy, T* dx, int64_t rows, int64_t cols);
  // loss[i] = -log softmax(x[i])[target[i]]; probabilities, the softmax itself, may be null.
  void (*softmax_cross_entropy)(const T* x, const int64_t* target, T* probabilities, T* loss, int64_t rows,
                                int64_t cols);
};

// The table of active_isa().
template <class T>
const Kernels<T>& kernels();

}  // namespace fastcnn
