// Gathers the kernels of this folder into one table for an ISA.
#pragma once

#include "cpu/generic/elementwise.h"
#include "cpu/kernels.h"

namespace fastcnn::generic {

template <class V>
constexpr Kernels<typename V::T> make_kernels() {
  return {
      .add = add<V>,
  };
}

}  // namespace fastcnn::generic
