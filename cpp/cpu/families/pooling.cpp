#include "cpu/families/families.h"

#include "cpu/generic/pool.h"

namespace fastcnn::FASTCNN_ISA_NAMESPACE {

template <class T>
void add_pooling(Kernels<T>& table) {
  using V = Vec<T>;
  static_cast<PoolingKernels<T>&>(table) = {
      .max_pool2d_u8 = generic::max_pool2d<V, uint8_t>,
      .max_pool2d_i32 = generic::max_pool2d<V, int32_t>,
      .max_pool2d_gradient_u8 = generic::max_pool2d_gradient<V, uint8_t>,
      .max_pool2d_gradient_i32 = generic::max_pool2d_gradient<V, int32_t>,
      .avg_pool2d = generic::avg_pool2d<V>,
      .avg_pool2d_gradient = generic::avg_pool2d_gradient<V>,
  };
}

template void add_pooling(Kernels<float>& table);
template void add_pooling(Kernels<double>& table);

}  // namespace fastcnn::FASTCNN_ISA_NAMESPACE
