// Elementwise kernels, and the activations as functors that other kernels inline.
#pragma once

#include <stdint.h>

#include "cpu/activation.h"
#include "cpu/generic/math.h"
#include "cpu/generic/vec.h"

namespace fastcnn::generic {

// One functor per Activation::Kind: f(x) is the value; f.gradient(v, dy) = dy f'(x), where v is y = f(x),
// except for square, where it is x.
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

// Calls body(functor), so that the kind is looked at once, outside of every loop.
template <class V, class Body>
inline void with_activation(const Activation& f, Body body) {
  using T = typename V::T;
  const V a = V::broadcast(static_cast<T>(f.a));
  const V b = V::broadcast(static_cast<T>(f.b));
  switch (f.kind) {
    case Activation::Kind::identity: return body(Identity<V>{});
    case Activation::Kind::relu: return body(Relu<V>{});
    case Activation::Kind::sigmoid: return body(Sigmoid<V>{});
    case Activation::Kind::tanh:
      return body(ScaledTanh<V>{a, b, V::broadcast(f.a == 0 ? T{0} : static_cast<T>(f.b / f.a))});
    case Activation::Kind::square: return body(Square<V>{});
    case Activation::Kind::linear: return body(Linear<V>{a, b});
    case Activation::Kind::relu6: return body(Relu6<V>{});
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

template <class V>
void activation(Activation f, const typename V::T* x, typename V::T* y, int64_t n) {
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
