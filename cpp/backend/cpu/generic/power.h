// s^-beta over Vec, as response normalisation divides.
#pragma once

#include "backend/cpu/generic/math.h"
#include "backend/cpu/generic/vec.h"

namespace fastcnn::generic {

// s^-beta for the beta of AlexNet, without pow.
template <class V>
struct PowerThreeQuarters {
  V operator()(V s) const {
    const V root = sqrt(s);
    return V::broadcast(1) / (root * sqrt(root));
  }
};

template <class V>
struct PowerOneHalf {
  V operator()(V s) const { return V::broadcast(1) / sqrt(s); }
};

template <class V>
struct PowerOne {
  V operator()(V s) const { return V::broadcast(1) / s; }
};

// Exact to a few units in the last place of beta log(s).
template <class V>
struct PowerAny {
  V minus_beta;
  V operator()(V s) const { return exp(minus_beta * log(s)); }
};

// Calls body(functor) with s -> s^-beta.
template <class V, class Body>
inline void with_power(double beta, Body body) {
  if (beta == 0.75) return body(PowerThreeQuarters<V>{});
  if (beta == 0.5) return body(PowerOneHalf<V>{});
  if (beta == 1.0) return body(PowerOne<V>{});
  body(PowerAny<V>{V::broadcast(static_cast<typename V::T>(-beta))});
}

}  // namespace fastcnn::generic
