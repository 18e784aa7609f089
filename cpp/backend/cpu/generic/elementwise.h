// Elementwise kernels, and the activations as functors that other kernels inline.
#pragma once

#include <stdint.h>

#include "ops/activation_function.h"
#include "backend/cpu/generic/math.h"
#include "backend/cpu/generic/vec.h"

namespace fastcnn::generic {

// One functor per Activation::Kind: f(x) is the value; f.gradient(v, dy) = dy f'(x), where v is y = f(x) if
// Activation::gradient_from_output(), else x.
template <class V>
struct Identity {
  V operator()(V x) const { return x; }
  V gradient(V, V dy) const { return dy; }
};

template <class V>
struct Relu {
  V operator()(V x) const { return {x.raw < V{}.raw ? V{}.raw : x.raw}; }  // NaN stays NaN
  V gradient(V y, V dy) const { return {y.raw > V{}.raw ? loaded(dy).raw : V{}.raw}; }
};

template <class V>
struct Sigmoid {
  V operator()(V x) const { return sigmoid(x); }
  V gradient(V y, V dy) const { return dy * (y * (V::broadcast(1) - y)); }
};

template <class V>
struct ScaledTanh {
  V a, b;
  V b_over_a;  // 0 where a is 0: then y is 0 everywhere
  V operator()(V x) const { return a * tanh(b * x); }
  V gradient(V y, V dy) const { return dy * (a * b - b_over_a * (y * y)); }
};

template <class V>
struct Square {
  V operator()(V x) const { return x * x; }
  V gradient(V x, V dy) const { return dy * (x + x); }
};

template <class V>
struct Linear {
  V a, b;
  V operator()(V x) const { return a * x + b; }
  V gradient(V, V dy) const { return dy * a; }
};

template <class V>
struct Relu6 {
  V operator()(V x) const {
    const V six = V::broadcast(6);
    const V y = {x.raw > six.raw ? six.raw : x.raw};
    return {y.raw < V{}.raw ? V{}.raw : y.raw};  // NaN stays NaN
  }
  V gradient(V y, V dy) const {
    return {(y.raw > V{}.raw) & (y.raw < V::broadcast(6).raw) ? loaded(dy).raw : V{}.raw};
  }
};

template <class V>
struct LeakyRelu {
  V a;
  V operator()(V x) const { return {x.raw > V{}.raw ? x.raw : (a * x).raw}; }
  V gradient(V v, V dy) const { return {v.raw > V{}.raw ? dy.raw : (a * dy).raw}; }
};

template <class V>
struct BoundedRelu {
  V a;
  V operator()(V x) const {
    const V y = {x.raw > a.raw ? a.raw : x.raw};
    return {y.raw < V{}.raw ? V{}.raw : y.raw};  // NaN stays NaN
  }
  V gradient(V y, V dy) const { return {(y.raw > V{}.raw) & (y.raw < a.raw) ? dy.raw : V{}.raw}; }
};

template <class V>
struct DoubleRelu {
  V a, inverse;
  V operator()(V x) const { return x - a * tanh(inverse * x); }
  V gradient(V x, V dy) const {
    const V t = tanh(inverse * x);
    return dy * (t * t);
  }
};

// log(1 + e^z) = max(z, 0) + log(1 + e^-|z|); f' = 1 - e^-y.
template <class V>
struct Softplus {
  V a, inverse;
  V operator()(V x) const {
    const V z = a * x;
    const V positive{z.raw < V{}.raw ? V{}.raw : z.raw};
    return inverse * (positive + log1p_within_one(exp(V{} - abs(z))));
  }
  V gradient(V y, V dy) const { return V{} - dy * expm1_below_zero(V{} - a * y); }
};

template <class V>
struct Elu {
  V a;
  V operator()(V x) const {
    const V negative{x.raw > V{}.raw ? V{}.raw : x.raw};
    return {x.raw > V{}.raw ? x.raw : (a * expm1_below_zero(negative)).raw};
  }
  V gradient(V y, V dy) const { return {y.raw > V{}.raw ? dy.raw : (dy * (y + a)).raw}; }
};

template <class V>
struct Gelu {
  V operator()(V x) const { return x * normal(x).below; }
  V gradient(V x, V dy) const {
    const Normal<V> phi = normal(x);
    return dy * (phi.below + x * phi.density);
  }
};

// (1 + tanh u) / 2 is the logistic function of 2 u, here z.
template <class V>
struct GeluTanh {
  using T = typename V::T;
  static V twice(double factor) { return V::broadcast(static_cast<T>(2 * 0.79788456080286535588 * factor)); }
  V operator()(V x) const {
    const V z = x * (twice(1) + twice(0.044715) * (x * x));
    return x / (V::broadcast(1) + exp(V{} - z));
  }
  V gradient(V x, V dy) const {
    const V square = x * x;
    const V s = sigmoid(x * (twice(1) + twice(0.044715) * square));
    const V slope = twice(1) + twice(3 * 0.044715) * square;
    return dy * (s + x * slope * (s * (V::broadcast(1) - s)));
  }
};

template <class V>
struct Silu {
  V operator()(V x) const { return x / (V::broadcast(1) + exp(V{} - x)); }
  V gradient(V x, V dy) const {
    const V s = sigmoid(x);
    return dy * (s + x * (s * (V::broadcast(1) - s)));
  }
};

// tanh(log(1 + e^x)) is n / d with n = e^x (e^x + 2), d = n + 2; for positive x both times e^-2x, which stays finite.
template <class V>
struct Mish {
  struct Ratio {
    V n, d, rest;  // rest = d - n, without cancellation
    V e;           // exp(-|x|)
  };
  static Ratio ratio(V x) {
    const V e = exp(V{} - abs(x)), one = V::broadcast(1), two = V::broadcast(2);
    const V left = e * (e + two), right = one + two * e, squares = two * (e * e);
    const V n{x.raw > V{}.raw ? right.raw : left.raw}, rest{x.raw > V{}.raw ? squares.raw : two.raw};
    return {n, n + rest, rest, e};
  }
  V operator()(V x) const {
    const Ratio r = ratio(x);
    return x * (r.n / r.d);
  }
  V gradient(V x, V dy) const {
    const Ratio r = ratio(x);
    const V one = V::broadcast(1);
    const V logistic = V{x.raw > V{}.raw ? one.raw : r.e.raw} / (one + r.e);
    return dy * ((r.n + x * logistic * r.rest * ((r.n + r.d) / r.d)) / r.d);
  }
};

template <class V>
struct HardSigmoid {
  using T = typename V::T;
  static V sixth() { return V::broadcast(static_cast<T>(1.0 / 6)); }
  static V half() { return V::broadcast(static_cast<T>(0.5)); }
  V operator()(V x) const { return BoundedRelu<V>{V::broadcast(1)}(x * sixth() + half()); }
  V gradient(V y, V dy) const { return BoundedRelu<V>{V::broadcast(1)}.gradient(y, dy * sixth()); }
};

template <class V>
struct HardSwish {
  V operator()(V x) const { return x * HardSigmoid<V>{}(x); }
  V gradient(V x, V dy) const {
    const V inside = dy * (x * (HardSigmoid<V>::sixth() + HardSigmoid<V>::sixth()) + HardSigmoid<V>::half());
    const V bent{x.raw > V::broadcast(-3).raw ? inside.raw : V{}.raw};
    return {x.raw < V::broadcast(3).raw ? bent.raw : dy.raw};
  }
};

template <class V>
struct Abs {
  V operator()(V x) const { return abs(x); }
  V gradient(V x, V dy) const {  // 0 at 0
    const V negative{x.raw < V{}.raw ? (V{} - dy).raw : V{}.raw};
    return {x.raw > V{}.raw ? dy.raw : negative.raw};
  }
};

template <class V>
struct Sqrt {
  V operator()(V x) const { return sqrt(x); }
  V gradient(V y, V dy) const { return dy / (y + y); }
};

template <class V>
struct Log {
  V a;
  V operator()(V x) const { return log(x + a); }
  V gradient(V x, V dy) const { return dy / (x + a); }
};

template <class V>
struct AbsTanh {
  V a, b;
  V operator()(V x) const { return a * abs(tanh(b * x)); }
  V gradient(V x, V dy) const {
    const V t = tanh(b * x);
    return Abs<V>{}.gradient(t, dy * (a * b * (V::broadcast(1) - t * t)));
  }
};

// Calls body(functor), so that the kind is looked at once, outside of every loop. f.is_inlined().
template <class V, class Body>
inline void with_inlined(const Activation& f, Body body) {
  using T = typename V::T;
  const V a = V::broadcast(static_cast<T>(f.a));
  const V b = V::broadcast(static_cast<T>(f.b));
  switch (f.kind) {
    case Activation::Kind::relu: return body(Relu<V>{});
    case Activation::Kind::sigmoid: return body(Sigmoid<V>{});
    case Activation::Kind::tanh:
      return body(ScaledTanh<V>{a, b, V::broadcast(f.a == 0 ? T{0} : static_cast<T>(f.b / f.a))});
    case Activation::Kind::linear: return body(Linear<V>{a, b});
    case Activation::Kind::relu6: return body(Relu6<V>{});
    case Activation::Kind::leaky_relu: return body(LeakyRelu<V>{a});
    default: return body(Identity<V>{});
  }
}

// The same for every kind.
template <class V, class Body>
inline void with_activation(const Activation& f, Body body) {
  using T = typename V::T;
  const V a = V::broadcast(static_cast<T>(f.a));
  const V b = V::broadcast(static_cast<T>(f.b));
  const V inverse = V::broadcast(static_cast<T>(1 / f.a));
  switch (f.kind) {
    case Activation::Kind::square: return body(Square<V>{});
    case Activation::Kind::bounded_relu: return body(BoundedRelu<V>{a});
    case Activation::Kind::double_relu: return body(DoubleRelu<V>{a, inverse});
    case Activation::Kind::softplus: return body(Softplus<V>{a, inverse});
    case Activation::Kind::elu: return body(Elu<V>{a});
    case Activation::Kind::gelu: return body(Gelu<V>{});
    case Activation::Kind::gelu_tanh: return body(GeluTanh<V>{});
    case Activation::Kind::silu: return body(Silu<V>{});
    case Activation::Kind::mish: return body(Mish<V>{});
    case Activation::Kind::hard_sigmoid: return body(HardSigmoid<V>{});
    case Activation::Kind::hard_swish: return body(HardSwish<V>{});
    case Activation::Kind::abs: return body(Abs<V>{});
    case Activation::Kind::sqrt: return body(Sqrt<V>{});
    case Activation::Kind::log: return body(Log<V>{a});
    case Activation::Kind::abs_tanh: return body(AbsTanh<V>{a, b});
    default: return with_inlined<V>(f, body);
  }
}

// Sum of the first `count` lanes, in order.
template <class V>
inline typename V::T sum_lanes(V v, int64_t count = V::size) {
  typename V::T sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += v.raw[i];
  return sum;
}

// y[i] = f(x[i]) with a vector body; f takes and returns Vec.
template <class V, class F>
inline void map(const typename V::T* x, typename V::T* y, int64_t n, F f) {
  int64_t i = 0;
  for (; i + V::size <= n; i += V::size) f(V::load(x + i)).store(y + i);
  if (i < n) f(V::load_partial(x + i, n - i)).store_partial(y + i, n - i);
}

// y[i] = f(a[i], b[i]).
template <class V, class F>
inline void map(const typename V::T* a, const typename V::T* b, typename V::T* y, int64_t n, F f) {
  int64_t i = 0;
  for (; i + V::size <= n; i += V::size) f(V::load(a + i), V::load(b + i)).store(y + i);
  if (i < n) f(V::load_partial(a + i, n - i), V::load_partial(b + i, n - i)).store_partial(y + i, n - i);
}

// Not inlined: kernels that end in a function call it for what they don't have in their loops.
template <class V>
[[gnu::noinline]] void activation(Activation f, const typename V::T* x, typename V::T* y, int64_t n) {
  with_activation<V>(f, [&](auto g) { map<V>(x, y, n, g); });
}

template <class V>
void activation_gradient(Activation f, const typename V::T* x, const typename V::T* y, const typename V::T* dy,
                         typename V::T* dx, int64_t n) {
  const typename V::T* value = f.gradient_is_constant() ? dy : f.gradient_from_output() ? y : x;
  with_activation<V>(f, [&](auto g) {
    map<V>(value, dy, dx, n, [g](V v, V d) { return g.gradient(v, d); });
  });
}

template <class V>
void add(const typename V::T* a, const typename V::T* b, typename V::T* y, int64_t n) {
  map<V>(a, b, y, n, [](V u, V v) { return u + v; });
}

// Four sums in flight, added in a fixed order at the end.
template <class V>
typename V::T squared_distance(const typename V::T* a, const typename V::T* b, int64_t n) {
  V sums[4] = {};
  int64_t i = 0;
  for (; i + 4 * V::size <= n; i += 4 * V::size)
    for (int j = 0; j < 4; ++j) {
      V d = V::load(a + i + j * V::size);
      if (b) d = d - V::load(b + i + j * V::size);
      sums[j] = sums[j] + d * d;
    }
  for (; i < n; i += V::size) {
    const int64_t count = n - i < V::size ? n - i : V::size;
    V d = V::load_partial(a + i, count);
    if (b) d = d - V::load_partial(b + i, count);
    sums[0] = sums[0] + d * d;
  }
  return sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

}  // namespace fastcnn::generic
