// The neurons, as data: kind and coefficients of y = f(x). C headers only: ISA files include this.
#pragma once

#include <stdint.h>

namespace fastcnn {

struct Activation {
  enum class Kind : uint8_t {
    identity,      // x
    relu,          // max(x, 0)
    sigmoid,       // 1 / (1 + exp(-x))
    tanh,          // a tanh(b x)
    square,        // x^2
    linear,        // a x + b
    relu6,         // min(max(x, 0), 6)
    leaky_relu,    // x where x > 0, else a x
    bounded_relu,  // min(max(x, 0), a), a > 0
    double_relu,   // x - a tanh(x / a), a != 0
    softplus,      // log(1 + exp(a x)) / a, a > 0
    elu,           // x where x > 0, else a (exp(x) - 1), a >= 0
    gelu,          // x Phi(x), Phi being the normal distribution
    gelu_tanh,     // x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
    silu,          // x / (1 + exp(-x))
    mish,          // x tanh(log(1 + exp(x)))
    hard_sigmoid,  // min(max(x / 6 + 1/2, 0), 1)
    hard_swish,    // x hard_sigmoid(x)
    abs,           // |x|
    sqrt,          // sqrt(x)
    log,           // log(x + a)
    abs_tanh,      // a |tanh(b x)|
  };
  Kind kind = Kind::identity;
  double a = 1.0;
  double b = 1.0;

  // Whether f'(x) can be computed from y = f(x) alone, so that x need not be kept.
  bool gradient_from_output() const {
    switch (kind) {
      case Kind::square:
      case Kind::double_relu:
      case Kind::gelu:
      case Kind::gelu_tanh:
      case Kind::silu:
      case Kind::mish:
      case Kind::hard_swish:
      case Kind::abs:
      case Kind::log:
      case Kind::abs_tanh: return false;
      case Kind::leaky_relu: return a >= 0;  // else the sign of y doesn't tell that of x
      default: return true;
    }
  }
  // Whether f' is the same everywhere, so that neither x nor y is needed.
  bool gradient_is_constant() const { return kind == Kind::identity || kind == Kind::linear; }
  // Whether kernels that end in a function have the code of this one in their loops. The others, which are rare or
  // long, would multiply the code of such kernels; they go over what is written once more, while it is in a cache.
  bool is_inlined() const {
    switch (kind) {
      case Kind::identity:
      case Kind::relu:
      case Kind::sigmoid:
      case Kind::tanh:
      case Kind::linear:
      case Kind::relu6: return true;
      case Kind::leaky_relu: return gradient_from_output();
      default: return false;
    }
  }
};

}  // namespace fastcnn
