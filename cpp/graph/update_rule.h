// What optimisers do to a parameter w by its gradient g, element by element: formulas with their coefficients, as of one
// step. A backend applies them in one pass over memory.
#pragma once

#include <array>
#include <variant>

#include "core/tensor.h"

namespace fastcnn {

// g' = g + weight_decay w;  v = momentum v + g';  w -= lr (nesterov ? g' + momentum v : v), as PyTorch has it, or with the
// learning rate inside v (Krizhevsky et al. 2012, section 5): v = momentum v + lr g';  w -= nesterov ? lr g' + momentum v : v.
// State: v, unless momentum is 0.
struct SgdRule {
  double lr, momentum, weight_decay;
  bool nesterov, lr_in_velocity;
  // Where it isn't 0, every row w[i], the weights of one filter or unit, is scaled to this Euclidean norm in the end (a
  // row of zeros stays).
  double filter_norm;
};

// Kingma and Ba, "Adam: a method for stochastic optimization", 2015. m += (1 - beta1) (g' - m);
// v = beta2 v + (1 - beta2) g'^2;  w -= step_size m / (sqrt(v) / root + eps) with step_size = lr / (1 - beta1^t) and
// root = sqrt(1 - beta2^t). Weight decay is part of g' or, `decoupled`, multiplies w by 1 - lr weight_decay beforehand
// (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019). With `amsgrad` the largest v so far counts (Reddi,
// Kale and Kumar, "On the convergence of Adam and beyond", 2018). State: m, v and, with amsgrad, the largest v.
struct AdamRule {
  double lr, beta1, beta2, eps, weight_decay;
  bool decoupled, amsgrad;
  double step_size, root;
};

// Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012: s = alpha s + (1 - alpha) g'^2;
// d = sqrt(s) + eps or, `centered`, sqrt(s - a^2) + eps with a += (1 - alpha) (g' - a) (Graves 2013);  w -= lr g' / d, or
// with momentum b = momentum b + g' / d;  w -= lr b. State: s, b, a.
struct RmspropRule {
  double lr, alpha, eps, weight_decay, momentum;
  bool centered;
};

// Duchi, Hazan and Singer, "Adaptive subgradient methods", 2011: s += g'^2;  w -= lr g' / (sqrt(s) + eps). State: s.
struct AdagradRule {
  double lr, eps, weight_decay;
};

using UpdateRule = std::variant<SgdRule, AdamRule, RmspropRule, AdagradRule>;

// One parameter, its gradient, and what the optimiser keeps of it in the order of its rule; no data for what it doesn't
// use. All are floating-point tensors of one spec.
struct ParameterStep {
  static constexpr std::size_t max_states = 3;

  UpdateRule rule;
  View value;
  std::array<View, max_states> state;
  ConstView gradient;
};

}  // namespace fastcnn
