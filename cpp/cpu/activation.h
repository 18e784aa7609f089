// The neurons, as data: kind and coefficients of y = f(x). C headers only: ISA files include this.
#pragma once

#include <stdint.h>

namespace fastcnn {

struct Activation {
  enum class Kind : uint8_t {
    identity,  // x
    relu,      // max(x, 0)
    sigmoid,   // 1 / (1 + exp(-x))
    tanh,      // a tanh(b x)
    square,    // x^2
    linear,    // a x + b
    relu6,     // min(max(x, 0), 6)
  };
  Kind kind = Kind::identity;
  double a = 1.0;
  double b = 1.0;

  // Whether f'(x) can be computed from y = f(x) alone, so that x need not be kept.
  bool gradient_from_output() const { return kind != Kind::square; }
  // Whether f' is the same everywhere, so that neither x nor y is needed.
  bool gradient_is_constant() const { return kind == Kind::identity || kind == Kind::linear; }
};

}  // namespace fastcnn
