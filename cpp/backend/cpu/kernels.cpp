#include "backend/cpu/kernels.h"

#include "backend/cpu/isa.h"
#include "backend/cpu/isa/tables.h"

namespace fastcnn {
namespace {

Kernels<float> table_of(Isa isa) {
  Kernels<float> table{};
  switch (isa) {
#ifdef FASTCNN_HAS_AVX2
    case Isa::avx2: avx2::fill(table); break;
#endif
#ifdef FASTCNN_HAS_AVX512
    case Isa::avx512: avx512::fill(table); break;
#endif
#ifdef FASTCNN_HAS_NEON
    case Isa::neon: neon::fill(table); break;
#endif
    default: baseline::fill(table); break;
  }
  return table;
}

Kernels<double> double_table() {
  Kernels<double> table{};
  baseline::fill(table);
  return table;
}

}  // namespace

template <>
const Kernels<float>& kernels() {
  static const Kernels<float> table = table_of(active_isa());
  return table;
}

template <>
const Kernels<double>& kernels() {
  static const Kernels<double> table = double_table();
  return table;
}

}  // namespace fastcnn
