// What is done to a block of c when its sums are complete.
#pragma once

#include "ops/activation_function.h"
#include "backend/cpu/generic/elementwise.h"

namespace fastcnn::generic {

// Whether a tile applies it to its sums while they are in registers.
template <class V>
inline bool is_in_registers(Activation f) {
  using enum Activation::Kind;
  return f.kind == identity || f.kind == relu || f.kind == relu6;
}

template <class V>
void bias_activation(typename V::T* y, int64_t rows, int64_t cols, int64_t ld, const typename V::T* bias,
                     const typename V::T* residual, Activation f) {
  if (bias == nullptr && residual == nullptr && f.kind == Activation::Kind::identity) return;
  with_inlined<V>(f.is_inlined() ? f : Activation{}, [&](auto g) {
    for (int64_t i = 0; i < rows; ++i) {
      typename V::T* row = y + i * ld;
      if (residual != nullptr) add<V>(row, residual + i * ld, row, cols);
      if (bias != nullptr) {
        map<V>(row, bias, row, cols, [g](V x, V b) { return g(x + b); });
      } else if (f.is_inlined()) {
        map<V>(row, row, cols, g);
      }
      if (!f.is_inlined()) activation<V>(f, row, row, cols);
    }
  });
}

}  // namespace fastcnn::generic
