#include "cpu/kernels.h"

#include "cpu/isa.h"
#include "cpu/isa/tables.h"

namespace fastcnn {
namespace {

struct Tables {
  const Kernels<float>& float32;
  const Kernels<double>& float64;
};

Tables tables_of(Isa isa) {
  switch (isa) {
#ifdef FASTCNN_HAS_AVX2
    case Isa::avx2: return {avx2::kernels_float32, avx2::kernels_float64};
#endif
#ifdef FASTCNN_HAS_AVX512
    case Isa::avx512: return {avx512::kernels_float32, avx512::kernels_float64};
#endif
#ifdef FASTCNN_HAS_NEON
    case Isa::neon: return {neon::kernels_float32, neon::kernels_float64};
#endif
    default: return {baseline::kernels_float32, baseline::kernels_float64};
  }
}

const Tables& tables() {
  static const Tables active = tables_of(active_isa());
  return active;
}

}  // namespace

template <>
const Kernels<float>& kernels<float>() {
  return tables().float32;
}

template <>
const Kernels<double>& kernels<double>() {
  return tables().float64;
}

}  // namespace fastcnn
