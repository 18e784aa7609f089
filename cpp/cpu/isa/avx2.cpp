// The spine: every kernel of cpu/generic/, compiled for this ISA.
#include "cpu/isa/vec_avx2.h"

#include "cpu/generic/table.h"
#include "cpu/isa/tables.h"

namespace fastcnn::avx2 {

constinit const Kernels<float> kernels_float32 = generic::make_kernels<Vec<float>>();
constinit const Kernels<double> kernels_float64 = generic::make_kernels<Vec<double>>();

}  // namespace fastcnn::avx2
