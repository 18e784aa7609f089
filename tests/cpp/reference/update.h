// The rules of optimisers, element by element in float64, as graph/update_rule.h writes them.
#pragma once

#include <cmath>
#include <cstdint>

#include "graph/update_rule.h"

namespace fastcnn::reference {

// w, its gradient and what is kept of it: of one element. States that aren't kept are null.
template <class T>
struct Element {
  T& w;
  double g;
  T* state[ParameterStep::max_states];

  double kept(std::size_t i) const { return static_cast<double>(*state[i]); }
  double keep(std::size_t i, double value) const {
    *state[i] = static_cast<T>(value);
    return value;
  }
};

template <class T>
double updated(const SgdRule& r, const Element<T>& e, double w) {
  double g = e.g + r.weight_decay * w;
  if (r.lr_in_velocity) g *= r.lr;
  if (r.momentum != 0) {
    const double v = e.keep(0, r.momentum * e.kept(0) + g);
    g = r.nesterov ? g + r.momentum * v : v;
  }
  return w - (r.lr_in_velocity ? g : r.lr * g);
}

template <class T>
double updated(const AdamRule& r, const Element<T>& e, double w) {
  if (r.decoupled) w *= 1 - r.lr * r.weight_decay;
  const double g = r.decoupled ? e.g : e.g + r.weight_decay * w;
  const double m = e.keep(0, r.beta1 * e.kept(0) + (1 - r.beta1) * g);
  double v = e.keep(1, r.beta2 * e.kept(1) + (1 - r.beta2) * g * g);
  if (r.amsgrad) v = e.keep(2, std::fmax(e.kept(2), v));
  return w - r.step_size * m / (std::sqrt(v) / r.root + r.eps);
}

template <class T>
double updated(const RmspropRule& r, const Element<T>& e, double w) {
  const double g = e.g + r.weight_decay * w;
  double s = e.keep(0, r.alpha * e.kept(0) + (1 - r.alpha) * g * g);
  if (r.centered) {
    const double a = e.keep(2, r.alpha * e.kept(2) + (1 - r.alpha) * g);
    s -= a * a;
  }
  const double move = g / (std::sqrt(s) + r.eps);
  return w - r.lr * (r.momentum != 0 ? e.keep(1, r.momentum * e.kept(1) + move) : move);
}

template <class T>
double updated(const AdagradRule& r, const Element<T>& e, double w) {
  const double g = e.g + r.weight_decay * w;
  const double s = e.keep(0, e.kept(0) + g * g);
  return w - r.lr * g / (std::sqrt(s) + r.eps);
}

// Element i, by the gradient g.
template <class T>
void update_element(const ParameterStep& step, std::int64_t i, T g) {
  Element<T> e{.w = step.value.as<T>()[i], .g = static_cast<double>(g), .state = {}};
  for (std::size_t s = 0; s < ParameterStep::max_states; ++s)
    e.state[s] = step.state[s] ? step.state[s].as<T>() + i : nullptr;
  std::visit([&](const auto& rule) { e.w = static_cast<T>(updated(rule, e, static_cast<double>(e.w))); }, step.rule);
}

template <class T>
void scale_rows(View w, double norm) {
  const std::int64_t rows = w.spec.shape[0], cols = w.spec.shape.numel() / rows;
  for (std::int64_t i = 0; i < rows; ++i) {
    T* const row = w.as<T>() + i * cols;
    double squares = 0;
    for (std::int64_t j = 0; j < cols; ++j) squares += static_cast<double>(row[j]) * static_cast<double>(row[j]);
    for (std::int64_t j = 0; j < cols && squares > 0; ++j) row[j] *= static_cast<T>(norm / std::sqrt(squares));
  }
}

inline void constrain(const ParameterStep& step) {
  const auto* sgd = std::get_if<SgdRule>(&step.rule);
  if (sgd == nullptr || sgd->filter_norm == 0 || sgd->lr == 0) return;
  dispatch_floating(step.value.spec.dtype, [&]<class T>() { scale_rows<T>(step.value, sgd->filter_norm); });
}

inline void update(const ParameterStep& step) {
  dispatch_floating(step.value.spec.dtype, [&]<class T>() {
    for (std::int64_t i = 0; i < step.value.spec.shape.numel(); ++i)
      update_element(step, i, step.gradient.as<T>()[i]);
  });
  constrain(step);
}

}  // namespace fastcnn::reference
