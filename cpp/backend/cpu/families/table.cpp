// The table of one ISA, out of all families.
#include "backend/cpu/families/families.h"

namespace fastcnn::FASTCNN_ISA_NAMESPACE {

template <class T>
void fill(Kernels<T>& table) {
  add_depthwise(table);
  add_elementwise(table);
  add_gemm(table);
  add_im2col(table);
  add_implicit(table);
  add_normalization(table);
  add_pooling(table);
  add_softmax(table);
  add_winograd(table);
}

FASTCNN_INSTANTIATE(fill)

}  // namespace fastcnn::FASTCNN_ISA_NAMESPACE
