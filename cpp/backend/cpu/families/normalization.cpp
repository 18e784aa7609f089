#include "backend/cpu/families/families.h"

#include "backend/cpu/generic/batch_norm.h"
#include "backend/cpu/generic/box_norm.h"
#include "backend/cpu/generic/layer_norm.h"
#include "backend/cpu/generic/lrn.h"

namespace fastcnn::FASTCNN_ISA_NAMESPACE {

template <class T>
void add_normalization(Kernels<T>& table) {
  using V = Vec<T>;
  static_cast<NormalizationKernels<T>&>(table) = {
      .lrn = generic::lrn<V>,
      .lrn_gradient = generic::lrn_gradient<V>,
      .box_sums = generic::box_sums<V>,
      .response_norm = generic::response_norm<V>,
      .response_norm_gradient = generic::response_norm_gradient<V>,
      .row_statistics = generic::row_statistics<V>,
      .layer_norm = generic::layer_norm<V>,
      .layer_norm_gradient = generic::layer_norm_gradient<V>,
      .statistics = generic::statistics<V>,
      .batch_norm = generic::batch_norm<V>,
      .batch_norm_sums = generic::batch_norm_sums<V>,
      .batch_norm_gradient = generic::batch_norm_gradient<V>,
  };
}

FASTCNN_INSTANTIATE(add_normalization)

}  // namespace fastcnn::FASTCNN_ISA_NAMESPACE
