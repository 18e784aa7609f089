#include "backend/cpu/families/families.h"

#include "backend/cpu/generic/implicit.h"
#include "backend/cpu/generic/implicit_outer.h"

namespace fastcnn::FASTCNN_ISA_NAMESPACE {

template <class T>
void add_implicit(Kernels<T>& table) {
  using V = Vec<T>;
  table.implicit = {
      .rows = V::Isa::gemm_rows,
      .cols = V::Isa::gemm_vectors * V::size,
      .lanes = V::size,
      .correlate = generic::correlate<V>,
      .outer = generic::outer<V>,
  };
}

FASTCNN_INSTANTIATE(add_implicit)

}  // namespace fastcnn::FASTCNN_ISA_NAMESPACE
