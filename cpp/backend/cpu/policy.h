// What the user lets kernels be made of, where there is a choice.
#pragma once

#include <cstdint>

#include "backend/cpu/gemm.h"

namespace fastcnn {

struct Policy {
  GemmProvider gemm;
  std::uint32_t conv2d_algorithms;  // bit i: the i-th of conv2d_algorithms() is allowed

  bool operator==(const Policy&) const = default;
};

// As set_gemm_provider and set_conv2d_algorithms have left it.
Policy current_policy();

}  // namespace fastcnn
