#include "backend/cpu/families/families.h"

#include "backend/cpu/generic/winograd.h"
#include "backend/cpu/generic/winograd_product.h"

namespace fastcnn::FASTCNN_ISA_NAMESPACE {

template <class V, int M, int R>
constexpr WinogradKernels<typename V::T> winograd_kernels() {
  constexpr int alpha = M + R - 1;
  return {
      .input = generic::winograd_tiles<V, M, generic::WinogradInput<V, alpha>>,
      .output_gradient = generic::winograd_tiles<V, M, generic::WinogradEvaluate<V, alpha, M, false>>,
      .output = generic::winograd_output<V, alpha, M>,
      .input_gradient = generic::winograd_input_gradient<V, alpha, M>,
      .weights = generic::winograd_weights<V, alpha, R>,
      .weights_rotated = generic::winograd_weights_to_inputs<V, alpha, R, true>,
      .weights_transposed = generic::winograd_weights_to_inputs<V, alpha, R, false>,
      .weight_gradient = generic::winograd_weight_gradient<V, alpha, R>,
      .multiply = generic::winograd_multiply<V>,
      .multiply_transposed = generic::winograd_multiply_transposed<V>,
  };
}

template <class T>
void add_winograd(Kernels<T>& table) {
  table.winograd_4x3 = winograd_kernels<Vec<T>, 4, 3>();
  table.winograd_2x3 = winograd_kernels<Vec<T>, 2, 3>();
  table.winograd_4x5 = winograd_kernels<Vec<T>, 4, 5>();
  table.winograd_2x5 = winograd_kernels<Vec<T>, 2, 5>();
}

FASTCNN_INSTANTIATE(add_winograd)

}  // namespace fastcnn::FASTCNN_ISA_NAMESPACE
