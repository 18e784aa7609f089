#include "backend/cpu/families/families.h"

#include "backend/cpu/generic/softmax.h"

namespace fastcnn::FASTCNN_ISA_NAMESPACE {

template <class T>
void add_softmax(Kernels<T>& table) {
  using V = Vec<T>;
  static_cast<SoftmaxKernels<T>&>(table) = {
      .softmax = generic::softmax<V>,
      .softmax_gradient = generic::softmax_gradient<V>,
      .log_softmax_rows = generic::log_softmax_rows<V>,
  };
}

FASTCNN_INSTANTIATE(add_softmax)

}  // namespace fastcnn::FASTCNN_ISA_NAMESPACE
