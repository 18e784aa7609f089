#include "backend/cpu/families/families.h"

#include "backend/cpu/generic/dot.h"
#include "backend/cpu/generic/fma_peak.h"
#include "backend/cpu/generic/microkernel.h"
#include "backend/cpu/generic/pack.h"

namespace fastcnn::FASTCNN_ISA_NAMESPACE {

template <class T>
void add_gemm(Kernels<T>& table) {
  using V = Vec<T>;
  table.gemm = {
      .rows = V::Isa::gemm_rows,
      .cols = V::Isa::gemm_vectors * V::size,
      .lanes = V::size,
      .pack = generic::pack<V>,
      .multiply = generic::multiply<V>,
      .multiply_few_rows = generic::multiply_few_rows<V>,
  };
  table.fma_peak = generic::fma_peak<V>;
}

FASTCNN_INSTANTIATE(add_gemm)

}  // namespace fastcnn::FASTCNN_ISA_NAMESPACE
