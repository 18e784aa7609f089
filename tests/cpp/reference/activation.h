// Activations by their formulas, one number at a time: the oracle of the tests.
#pragma once

#include <cmath>

#include "ops/activation_function.h"

namespace fastcnn::reference {

template <class T>
T normal_below(T x) {
  return T(0.5) * std::erfc(-x / std::sqrt(T(2)));
}

// sqrt(2 / pi) (x + 0.044715 x^3) and its derivative.
template <class T>
T gelu_argument(T x) {
  return T(0.79788456080286535588L) * (x + T(0.044715L) * x * x * x);
}
template <class T>
T gelu_argument_derivative(T x) {
  return T(0.79788456080286535588L) * (1 + 3 * T(0.044715L) * x * x);
}

template <class T>
T activation(const Activation& f, T x) {
  const T a = static_cast<T>(f.a);
  const T b = static_cast<T>(f.b);
  using enum Activation::Kind;
  switch (f.kind) {
    case identity: return x;
    case relu: return x < 0 ? T{0} : x;
    case sigmoid: return 1 / (1 + std::exp(-x));
    case tanh: return a * std::tanh(b * x);
    case square: return x * x;
    case linear: return a * x + b;
    case relu6: return x < 0 ? T{0} : x > 6 ? T{6} : x;
    case leaky_relu: return x > 0 ? x : a * x;
    case bounded_relu: return x < 0 ? T{0} : x > a ? a : x;
    case double_relu: return x - a * std::tanh(x / a);
    case softplus: return (a * x > 0 ? a * x + std::log1p(std::exp(-a * x)) : std::log1p(std::exp(a * x))) / a;
    case elu: return x > 0 ? x : a * std::expm1(x);
    case gelu: return x * normal_below(x);
    case gelu_tanh: return x / (1 + std::exp(-2 * gelu_argument(x)));
    case silu: return x / (1 + std::exp(-x));
    case mish: return x * std::tanh(std::log1p(std::exp(x)));
    case hard_sigmoid: return x < -3 ? T{0} : x > 3 ? T{1} : x / 6 + T(0.5);
    case hard_swish: return x < -3 ? T{0} : x > 3 ? x : x * (x / 6 + T(0.5));
    case abs: return std::abs(x);
    case sqrt: return std::sqrt(x);
    case log: return std::log(x + a);
    case abs_tanh: return a * std::abs(std::tanh(b * x));
  }
  return x;
}

// f'(x); 0 where f has none, except for relu and its kin, whose bend at 0 belongs to what is left of it.
template <class T>
T activation_derivative(const Activation& f, T x) {
  const T a = static_cast<T>(f.a);
  const T b = static_cast<T>(f.b);
  const auto logistic = [](T z) { return 1 / (1 + std::exp(-z)); };
  const T t = std::tanh(b * x);
  using enum Activation::Kind;
  switch (f.kind) {
    case identity: return 1;
    case relu: return x > 0 ? T{1} : T{0};
    case sigmoid: return logistic(x) * (1 - logistic(x));
    case tanh: return a * b * (1 - t * t);
    case square: return 2 * x;
    case linear: return a;
    case relu6: return x > 0 && x < 6 ? T{1} : T{0};
    case leaky_relu: return x > 0 ? T{1} : a;
    case bounded_relu: return x > 0 && x < a ? T{1} : T{0};
    case double_relu: return std::tanh(x / a) * std::tanh(x / a);
    case softplus: return logistic(a * x);
    case elu: return x > 0 ? T{1} : a * std::exp(x);
    case gelu: return normal_below(x) + x * std::exp(-x * x / 2) * T(0.39894228040143267794L);
    case gelu_tanh: {
      const T s = logistic(2 * gelu_argument(x));
      return s + 2 * x * s * (1 - s) * gelu_argument_derivative(x);
    }
    case silu: return logistic(x) * (1 + x * (1 - logistic(x)));
    case mish: {
      const T u = std::tanh(std::log1p(std::exp(x)));
      return u + x * (1 - u * u) * logistic(x);
    }
    case hard_sigmoid: return x > -3 && x < 3 ? T(1) / 6 : T{0};
    case hard_swish: return x <= -3 ? T{0} : x >= 3 ? T{1} : x / 3 + T(0.5);
    case abs: return x > 0 ? T{1} : x < 0 ? T{-1} : T{0};
    case sqrt: return 1 / (2 * std::sqrt(x));
    case log: return 1 / (x + a);
    case abs_tanh: return t > 0 ? a * b * (1 - t * t) : t < 0 ? -a * b * (1 - t * t) : T{0};
  }
  return 1;
}

}  // namespace fastcnn::reference
