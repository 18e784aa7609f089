#include "cpu/families/families.h"

#include "cpu/generic/lrn.h"

namespace fastcnn::FASTCNN_ISA_NAMESPACE {

template <class T>
void add_normalization(Kernels<T>& table) {
  using V = Vec<T>;
  static_cast<NormalizationKernels<T>&>(table) = {
      .lrn = generic::lrn<V>,
      .lrn_gradient = generic::lrn_gradient<V>,
  };
}

template void add_normalization(Kernels<float>& table);
template void add_normalization(Kernels<double>& table);

}  // namespace fastcnn::FASTCNN_ISA_NAMESPACE
