// Activations by their formulas, one number at a time: the oracle of the tests.
#pragma once

#include <cmath>

#include "cpu/activation.h"

namespace fastcnn::reference {

template <class T>
T activation(const Activation& f, T x) {
  const T a = static_cast<T>(f.a);
  const T b = static_cast<T>(f.b);
  switch (f.kind) {
    case Activation::Kind::identity: return x;
    case Activation::Kind::relu: return x < 0 ? T{0} : x;
    case Activation::Kind::sigmoid: return 1 / (1 + std::exp(-x));
    case Activation::Kind::tanh: return a * std::tanh(b * x);
    case Activation::Kind::square: return x * x;
    case Activation::Kind::linear: return a * x + b;
    case Activation::Kind::relu6: return x < 0 ? T{0} : x > 6 ? T{6} : x;
  }
  return x;
}

// f'(x); 0 for relu at 0, for relu6 at 0 and 6.
template <class T>
T activation_derivative(const Activation& f, T x) {
  const T a = static_cast<T>(f.a);
  const T b = static_cast<T>(f.b);
  switch (f.kind) {
    case Activation::Kind::identity: return 1;
    case Activation::Kind::relu: return x > 0 ? T{1} : T{0};
    case Activation::Kind::sigmoid: {
      const T y = activation(f, x);
      return y * (1 - y);
    }
    case Activation::Kind::tanh: {
      const T t = std::tanh(b * x);
      return a * b * (1 - t * t);
    }
    case Activation::Kind::square: return 2 * x;
    case Activation::Kind::linear: return a;
    case Activation::Kind::relu6: return x > 0 && x < 6 ? T{1} : T{0};
  }
  return 1;
}

}  // namespace fastcnn::reference
