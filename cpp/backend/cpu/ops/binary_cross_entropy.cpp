#include "ops/binary_cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "backend/cpu/op_kernel.h"
#include "core/error.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

constexpr std::int64_t ops_per_element = 60;  // an exponential and a logarithm

// The loss of one element and its derivatives.
template <class T>
struct OfLogit {
  // log(1 + e^-x), without overflow.
  static T softplus_of_minus(T x) { return std::max(-x, T{0}) + std::log1p(std::exp(-std::abs(x))); }
  static T loss(T x, T t, T a) { return (1 - t) * x + (1 + (a - 1) * t) * softplus_of_minus(x); }
  static T dx(T x, T t, T a) {
    const T e = std::exp(-std::abs(x));
    const T p = (x >= 0 ? T{1} : e) / (1 + e);
    return (1 + (a - 1) * t) * p - a * t;
  }
  static T dt(T x, T, T a) { return (a - 1) * softplus_of_minus(x) - x; }
};

template <class T>
struct OfProbability {
  static T log(T p) { return std::max(std::log(p), T{-100}); }
  static T loss(T p, T t, T a) { return -(a * t * log(p) + (1 - t) * log(1 - p)); }
  static T dx(T p, T t, T a) {
    const T min_variance = static_cast<T>(1e-12);
    return ((1 - t) * p - a * t * (1 - p)) / std::max(p * (1 - p), min_variance);
  }
  static T dt(T p, T, T a) { return log(1 - p) - a * log(p); }
};

// The weight of the positive answer at element i.
template <class T>
class PositiveWeight {
 public:
  explicit PositiveWeight(std::span<const ConstView> x)
      : weight_(x.size() > 2 && x[2] ? x[2].as<T>() : nullptr), count_(weight_ ? x[2].spec.shape[0] : 1) {}
  T operator[](std::int64_t i) const {
    if (!weight_) return 1;
    return weight_[count_ == 1 ? 0 : i % count_];
  }

 private:
  const T* weight_;
  std::int64_t count_;
};

template <class T>
void check_probabilities(const T* p, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i)
    if (!(p[i] >= 0 && p[i] <= 1))
      throw ValueError("probability " + std::to_string(p[i]) + " at element " + std::to_string(i) +
                       " is out of range, expected 0 to 1; a network that ends in numbers of any size gives logits");
}

template <class F>
auto with_kind(bool from_logits, F&& f) {
  return from_logits ? f.template operator()<true>() : f.template operator()<false>();
}

template <class T, bool from_logits>
using Element = std::conditional_t<from_logits, OfLogit<T>, OfProbability<T>>;

// Throws ValueError naming a probability outside of [0, 1].
void forward(const BinaryCrossEntropy& op, const StepArgs& args) {
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    const Shape& shape = args.x[0].spec.shape;
    const std::int64_t n = shape.numel();
    const T* x = args.x[0].as<T>();
    const T* t = args.x[1].as<T>();
    const PositiveWeight<T> a(args.x);
    const bool reduced = op.reduction() != Reduction::none;
    T* loss = reduced ? args.scratch.shared<T>() : args.y[0].as<T>();
    if (!op.from_logits()) check_probabilities(x, n);
    with_kind(op.from_logits(), [&]<bool logits>() {
      parallel_ranges(n, ops_per_element, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) loss[i] = Element<T, logits>::loss(x[i], t[i], a[i]);
      });
    });
    if (!reduced) return;
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(loss[i]);
    *args.y[0].as<T>() = static_cast<T>(sum / divisor(op.reduction(), n, samples_of(shape)));
  });
}

void backward(const BinaryCrossEntropy& op, const StepArgs& args) {
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    const Shape& shape = args.x[0].spec.shape;
    const std::int64_t n = shape.numel();
    const T* x = args.x[0].as<T>();
    const T* t = args.x[1].as<T>();
    const T* dy = args.dy[0].as<T>();
    const PositiveWeight<T> a(args.x);
    const std::int64_t dy_step = op.reduction() == Reduction::none ? 1 : 0;
    const T factor = T{1} / static_cast<T>(divisor(op.reduction(), n, samples_of(shape)));
    T* dx = args.dx[0].as<T>();
    T* dt = args.dx[1].as<T>();
    with_kind(op.from_logits(), [&]<bool logits>() {
      using Loss = Element<T, logits>;
      parallel_ranges(n, ops_per_element, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          const T scale = factor * dy[i * dy_step];
          if (dx) dx[i] = scale * Loss::dx(x[i], t[i], a[i]);
          if (dt) dt[i] = scale * Loss::dt(x[i], t[i], a[i]);
        }
      });
    });
  });
}

// One loss per element, before they are added up.
ScratchSize scratch(const BinaryCrossEntropy& op, Specs x, Pass pass) {
  if (pass == Pass::backward || op.reduction() == Reduction::none) return {};
  return {.shared = x[0].bytes()};
}

}  // namespace

KernelPtr make_binary_cross_entropy(const KernelRequest& request) {
  return make_kernel<BinaryCrossEntropy>(request, {.forward = forward, .backward = backward, .scratch = scratch});
}

}  // namespace fastcnn
