#include "backend/cpu/families/families.h"

#include "backend/cpu/generic/im2col.h"

namespace fastcnn::FASTCNN_ISA_NAMESPACE {

template <class T>
void add_im2col(Kernels<T>& table) {
  using V = Vec<T>;
  static_cast<Im2colKernels<T>&>(table) = {
      .im2col = generic::im2col<V>,
      .col2im_add = generic::col2im_add<V>,
  };
}

FASTCNN_INSTANTIATE(add_im2col)

}  // namespace fastcnn::FASTCNN_ISA_NAMESPACE
