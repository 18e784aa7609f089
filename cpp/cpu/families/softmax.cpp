#include "cpu/families/families.h"

#include "cpu/generic/softmax.h"

namespace fastcnn::FASTCNN_ISA_NAMESPACE {

template <class T>
void add_softmax(Kernels<T>& table) {
  using V = Vec<T>;
  static_cast<SoftmaxKernels<T>&>(table) = {
      .softmax = generic::softmax<V>,
      .softmax_gradient = generic::softmax_gradient<V>,
      .softmax_cross_entropy = generic::softmax_cross_entropy<V>,
  };
}

template void add_softmax(Kernels<float>& table);
template void add_softmax(Kernels<double>& table);

}  // namespace fastcnn::FASTCNN_ISA_NAMESPACE
