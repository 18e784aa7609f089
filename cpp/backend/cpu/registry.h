// The kernels of the CPU by kind of op.
#pragma once

#include <string_view>

#include "backend/cpu/op_kernel.h"

namespace fastcnn {

// Null for a kind that has none.
KernelMaker* find_kernel_maker(std::string_view kind);

}  // namespace fastcnn
