#include "backend/cpu/families/families.h"

#include "backend/cpu/generic/adaptive.h"
#include "backend/cpu/generic/column_sums.h"
#include "backend/cpu/generic/dropout.h"
#include "backend/cpu/generic/elementwise.h"
#include "backend/cpu/generic/epilogue.h"
#include "backend/cpu/generic/sgd.h"

namespace fastcnn::FASTCNN_ISA_NAMESPACE {

template <class T>
void add_elementwise(Kernels<T>& table) {
  using V = Vec<T>;
  static_cast<ElementwiseKernels<T>&>(table) = {
      .activation = generic::activation<V>,
      .activation_gradient = generic::activation_gradient<V>,
      .add = generic::add<V>,
      .dropout = generic::dropout<V>,
      .bias_activation = generic::bias_activation<V>,
      .column_sums = generic::column_sums<V>,
      .squared_distance = generic::squared_distance<V>,
      .sgd = generic::sgd<V>,
      .adam = generic::adam<V>,
      .rmsprop = generic::rmsprop<V>,
      .adagrad = generic::adagrad<V>,
  };
}

FASTCNN_INSTANTIATE(add_elementwise)

}  // namespace fastcnn::FASTCNN_ISA_NAMESPACE
