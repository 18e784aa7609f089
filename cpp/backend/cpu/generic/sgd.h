// The update of stochastic gradient descent, all of it in one pass over memory.
#pragma once

#include "backend/cpu/generic/vec.h"
#include "backend/cpu/kernels.h"

namespace fastcnn::generic {

template <class V>
struct SgdState {
  V w;
  V v;
};

// Where the learning rate is inside v, what moves w and v is lr g instead of g, and w moves by it as it is.
template <class V, bool with_velocity, bool nesterov, bool lr_in_velocity>
inline SgdState<V> sgd_update(const SgdUpdate<typename V::T>& s, V dw, SgdState<V> old) {
  const V lr = V::broadcast(s.lr);
  V g = dw + V::broadcast(s.weight_decay) * old.w;
  if constexpr (!with_velocity) {
    return {old.w - lr * g, old.v};
  } else {
    if constexpr (lr_in_velocity) g = lr * g;
    const V momentum = V::broadcast(s.momentum);
    const V v = momentum * old.v + g;
    V move = v;
    if constexpr (nesterov) move = g + momentum * v;
    if constexpr (lr_in_velocity) return {old.w - move, v};
    return {old.w - lr * move, v};
  }
}

template <class V, bool with_velocity, bool nesterov, bool lr_in_velocity>
inline void sgd_pass(const SgdUpdate<typename V::T>& s, const typename V::T* dw, typename V::T* v,
                     typename V::T* w, int64_t n) {
  int64_t i = 0;
  for (; i + V::size <= n; i += V::size) {
    SgdState<V> state{V::load(w + i), {}};
    if constexpr (with_velocity) state.v = V::load(v + i);
    state = sgd_update<V, with_velocity, nesterov, lr_in_velocity>(s, V::load(dw + i), state);
    if constexpr (with_velocity) state.v.store(v + i);
    state.w.store(w + i);
  }
  if (i < n) {
    SgdState<V> state{V::load_partial(w + i, n - i), {}};
    if constexpr (with_velocity) state.v = V::load_partial(v + i, n - i);
    state = sgd_update<V, with_velocity, nesterov, lr_in_velocity>(s, V::load_partial(dw + i, n - i), state);
    if constexpr (with_velocity) state.v.store_partial(v + i, n - i);
    state.w.store_partial(w + i, n - i);
  }
}

template <class V>
void sgd(const SgdUpdate<typename V::T>& s, const typename V::T* dw, typename V::T* v, typename V::T* w,
         int64_t n) {
  if (v == nullptr) return sgd_pass<V, false, false, false>(s, dw, v, w, n);
  if (s.lr_in_velocity)
    return s.nesterov ? sgd_pass<V, true, true, true>(s, dw, v, w, n) : sgd_pass<V, true, false, true>(s, dw, v, w, n);
  return s.nesterov ? sgd_pass<V, true, true, false>(s, dw, v, w, n) : sgd_pass<V, true, false, false>(s, dw, v, w, n);
}

}  // namespace fastcnn::generic
