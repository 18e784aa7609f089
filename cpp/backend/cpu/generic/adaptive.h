// The updates of Adam, RMSprop and Adagrad (graph/update_rule.h has the formulas), each in one pass over memory.
#pragma once

#include "backend/cpu/generic/vec.h"
#include "backend/cpu/kernels.h"

namespace fastcnn::generic {

// Calls body(load, store) for each vector of n elements: load(p) gives those of p, store(p, v) puts them back.
template <class V, class F>
inline void for_vectors(int64_t n, F body) {
  using T = typename V::T;
  int64_t i = 0;
  for (; i + V::size <= n; i += V::size)
    body([i](const T* p) { return V::load(p + i); }, [i](T* p, V v) { v.store(p + i); });
  if (i < n)
    body([i, n](const T* p) { return V::load_partial(p + i, n - i); },
         [i, n](T* p, V v) { v.store_partial(p + i, n - i); });
}

template <class V>
void adam(const AdamUpdate<typename V::T>& u, const typename V::T* dw, typename V::T* mean, typename V::T* square,
          typename V::T* largest, typename V::T* w, int64_t n) {
  const auto all = [](typename V::T x) { return V::broadcast(x); };
  for_vectors<V>(n, [&](auto load, auto store) {
    const V value = load(w) * all(u.decay);
    const V g = load(dw) + all(u.weight_decay) * value;
    const V m = load(mean) + all(u.one_minus_beta1) * (g - load(mean));
    const V v = all(u.beta2) * load(square) + all(u.one_minus_beta2) * g * g;
    store(mean, m);
    store(square, v);
    V denominator = v;
    if (largest != nullptr) {
      denominator = max(load(largest), v);
      store(largest, denominator);
    }
    store(w, value - all(u.step_size) * (m / (sqrt(denominator) / all(u.root) + all(u.eps))));
  });
}

// `momentum` and `mean` may be null.
template <class V>
void rmsprop(const RmspropUpdate<typename V::T>& u, const typename V::T* dw, typename V::T* square,
             typename V::T* momentum, typename V::T* mean, typename V::T* w, int64_t n) {
  const auto all = [](typename V::T x) { return V::broadcast(x); };
  for_vectors<V>(n, [&](auto load, auto store) {
    const V value = load(w);
    const V g = load(dw) + all(u.weight_decay) * value;
    const V s = all(u.alpha) * load(square) + all(u.one_minus_alpha) * g * g;
    store(square, s);
    V variance = s;
    if (mean != nullptr) {
      const V m = load(mean) + all(u.one_minus_alpha) * (g - load(mean));
      store(mean, m);
      variance = s - m * m;
    }
    V move = g / (sqrt(variance) + all(u.eps));
    if (momentum != nullptr) {
      move = all(u.momentum) * load(momentum) + move;
      store(momentum, move);
    }
    store(w, value - all(u.lr) * move);
  });
}

template <class V>
void adagrad(const AdagradUpdate<typename V::T>& u, const typename V::T* dw, typename V::T* sum, typename V::T* w,
             int64_t n) {
  const auto all = [](typename V::T x) { return V::broadcast(x); };
  for_vectors<V>(n, [&](auto load, auto store) {
    const V value = load(w);
    const V g = load(dw) + all(u.weight_decay) * value;
    const V s = load(sum) + g * g;
    store(sum, s);
    store(w, value - all(u.lr) * (g / (sqrt(s) + all(u.eps))));
  });
}

}  // namespace fastcnn::generic
