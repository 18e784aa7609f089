// Gathers the kernels of this folder into one table for an ISA.
#pragma once

#include "cpu/generic/column_sums.h"
#include "cpu/generic/dot.h"
#include "cpu/generic/elementwise.h"
#include "cpu/generic/epilogue.h"
#include "cpu/generic/fma_peak.h"
#include "cpu/generic/im2col.h"
#include "cpu/generic/lrn.h"
#include "cpu/generic/microkernel.h"
#include "cpu/generic/pack.h"
#include "cpu/generic/pool.h"
#include "cpu/generic/sgd.h"
#include "cpu/generic/softmax.h"
#include "cpu/kernels.h"

namespace fastcnn::generic {

template <class V>
constexpr Kernels<typename V::T> make_kernels() {
  return {
      .gemm =
          {
              .rows = V::Isa::gemm_rows,
              .cols = V::Isa::gemm_vectors * V::size,
              .lanes = V::size,
              .pack = pack<V>,
              .multiply = multiply<V>,
              .multiply_few_rows = multiply_few_rows<V>,
          },
      .fma_peak = fma_peak<V>,
      .activation = activation<V>,
      .activation_gradient = activation_gradient<V>,
      .add = add<V>,
      .bias_activation = bias_activation<V>,
      .column_sums = column_sums<V>,
      .lrn = lrn<V>,
      .lrn_gradient = lrn_gradient<V>,
      .softmax = softmax<V>,
      .softmax_gradient = softmax_gradient<V>,
      .softmax_cross_entropy = softmax_cross_entropy<V>,
      .im2col = im2col<V>,
      .col2im_add = col2im_add<V>,
      .max_pool2d_u8 = max_pool2d<V, uint8_t>,
      .max_pool2d_i32 = max_pool2d<V, int32_t>,
      .max_pool2d_gradient_u8 = max_pool2d_gradient<V, uint8_t>,
      .max_pool2d_gradient_i32 = max_pool2d_gradient<V, int32_t>,
      .avg_pool2d = avg_pool2d<V>,
      .avg_pool2d_gradient = avg_pool2d_gradient<V>,
      .sgd = sgd<V>,
      .squared_distance = squared_distance<V>,
  };
}

}  // namespace fastcnn::generic
