#include "backend/cpu/generic/depthwise.h"

#include "backend/cpu/families/families.h"

namespace fastcnn::FASTCNN_ISA_NAMESPACE {

template <class T>
void add_depthwise(Kernels<T>& table) {
  using V = Vec<T>;
  static_cast<DepthwiseKernels<T>&>(table) = {
      .depthwise_row = generic::depthwise_row<V>,
      .depthwise_weights_row = generic::depthwise_weights_row<V>,
  };
}

FASTCNN_INSTANTIATE(add_depthwise)

}  // namespace fastcnn::FASTCNN_ISA_NAMESPACE
