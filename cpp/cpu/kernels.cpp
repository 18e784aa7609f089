#include "cpu/kernels.h"

#include "cpu/isa.h"
#include "cpu/isa/tables.h"

namespace fastcnn {
namespace {

template <class T>
Kernels<T> table_of(Isa isa) {
  Kernels<T> table{};
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

}  // namespace

template <class T>
const Kernels<T>& kernels() {
  static const Kernels<T> table = table_of<T>(active_isa());
  return table;
}

template const Kernels<float>& kernels();
template const Kernels<double>& kernels();

}  // namespace fastcnn
