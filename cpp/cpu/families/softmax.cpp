#include "cpu/families/families.h"

#include "cpu/generic/softmax.h"

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

template void add_softmax(Kernels<float>& table);
template void add_softmax(Kernels<double>& table);

}  // namespace fastcnn::FASTCNN_ISA_NAMESPACE
