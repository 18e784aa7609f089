#include "ops/softmax_cross_entropy.h"

#include <cstring>

#include "backend/cpu/kernels.h"
#include "backend/cpu/op_kernel.h"
#include "core/error.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

// The distributions q of the header.
template <class T>
struct Targets {
  std::int64_t n, classes;
  const std::int64_t* labels;  // null for distributions
  const T* distribution;
  const T* weight;  // by class; null for ones
  std::int64_t ignore_index;
  T smoothing;

  bool ignores(std::int64_t row) const { return labels && labels[row] == ignore_index; }
  // q is the label's weight at the label and 0 elsewhere.
  bool is_one_hot() const { return labels && smoothing == 0; }
  T weight_of(std::int64_t c) const { return weight ? weight[c] : T{1}; }
  T q(std::int64_t row, std::int64_t c) const {
    const T t = labels ? static_cast<T>(labels[row] == c) : distribution[row * classes + c];
    return weight_of(c) * ((1 - smoothing) * t + smoothing / static_cast<T>(classes));
  }
  T sum_of_q(std::int64_t row) const {
    if (is_one_hot()) return weight_of(labels[row]);
    T sum = 0;
    for (std::int64_t c = 0; c < classes; ++c) sum += q(row, c);
    return sum;
  }
  // What the sum of the losses is divided by.
  double divisor(Reduction reduction) const {
    if (!labels || reduction != Reduction::mean) return fastcnn::divisor(reduction, n, n);
    double sum = 0;
    for (std::int64_t row = 0; row < n; ++row)
      if (!ignores(row)) sum += static_cast<double>(weight_of(labels[row]));
    return sum;
  }
};

template <class T>
Targets<T> targets_of(std::span<const ConstView> x, const SoftmaxCrossEntropy::Options& options) {
  const bool are_labels = x[1].spec.dtype == DType::int64;
  return {.n = x[0].spec.shape[0],
          .classes = x[0].spec.shape[1],
          .labels = are_labels ? x[1].as<std::int64_t>() : nullptr,
          .distribution = are_labels ? nullptr : x[1].as<T>(),
          .weight = x.size() > 2 && x[2] ? x[2].as<T>() : nullptr,
          .ignore_index = options.ignore_index,
          .smoothing = static_cast<T>(options.label_smoothing)};
}

template <class T>
void check_labels(const Targets<T>& targets) {
  if (!targets.labels) return;
  for (std::int64_t i = 0; i < targets.n; ++i) {
    const std::int64_t label = targets.labels[i];
    if ((label < 0 || label >= targets.classes) && !targets.ignores(i))
      throw ValueError("target " + std::to_string(label) + " at index " + std::to_string(i) +
                       " is out of range, expected 0 to " + std::to_string(targets.classes - 1));
  }
}

template <class T>
T loss_of(const Targets<T>& targets, std::int64_t row, const T* logits, T largest, T log_sum) {
  const auto minus_log_p = [&](std::int64_t c) { return (largest - logits[c]) + log_sum; };
  if (targets.ignores(row)) return 0;
  if (targets.is_one_hot()) return targets.weight_of(targets.labels[row]) * minus_log_p(targets.labels[row]);
  T loss = 0;
  for (std::int64_t c = 0; c < targets.classes; ++c) loss += targets.q(row, c) * minus_log_p(c);
  return loss;
}

// dx = scale (p sum_c q_c - q).
template <class T>
void logits_gradient(const Targets<T>& targets, std::int64_t row, const T* p, T scale, T* dx) {
  if (targets.ignores(row)) {
    std::fill_n(dx, targets.classes, T{0});
    return;
  }
  const T share = scale * targets.sum_of_q(row);
  for (std::int64_t c = 0; c < targets.classes; ++c) dx[c] = share * p[c];
  if (targets.is_one_hot()) {
    dx[targets.labels[row]] -= scale * targets.weight_of(targets.labels[row]);
  } else {
    for (std::int64_t c = 0; c < targets.classes; ++c) dx[c] -= scale * targets.q(row, c);
  }
}

// dt = scale w (1 - smoothing) (-log p).
template <class T>
void distribution_gradient(const Targets<T>& targets, const T* logits, T largest, T log_sum, T scale, T* dt) {
  for (std::int64_t c = 0; c < targets.classes; ++c)
    dt[c] = scale * targets.weight_of(c) * (1 - targets.smoothing) * ((largest - logits[c]) + log_sum);
}

// Throws ValueError naming a class outside of [0, c).
void forward(const SoftmaxCrossEntropy& op, const StepArgs& args) {
  dispatch_floating(args.x[0].spec.dtype, [&]<class T>() {
    const auto targets = targets_of<T>(args.x, op.options());
    check_labels(targets);
    const std::int64_t n = targets.n;
    const std::int64_t classes = targets.classes;
    const T* logits = args.x[0].as<T>();
    T* p = static_cast<T*>(args.saved);
    T* largest = args.scratch.shared<T>();
    T* log_sum = largest + n;
    const bool reduced = op.options().reduction != Reduction::none;
    T* loss = reduced ? log_sum + n : args.y[0].as<T>();
    parallel_ranges(n, 40 * classes, [&](std::int64_t begin, std::int64_t end) {
      kernels<T>().log_softmax_rows(logits + begin * classes, p ? p + begin * classes : nullptr, largest + begin,
                                    log_sum + begin, end - begin, classes);
      for (std::int64_t i = begin; i < end; ++i)
        loss[i] = loss_of(targets, i, logits + i * classes, largest[i], log_sum[i]);
    });
    if (p && !targets.labels && n > 0)
      std::memcpy(p + n * classes, largest, 2 * static_cast<std::size_t>(n) * sizeof(T));
    if (!reduced) return;
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(loss[i]);
    *args.y[0].as<T>() = static_cast<T>(sum / targets.divisor(op.options().reduction));
  });
}

void backward(const SoftmaxCrossEntropy& op, const StepArgs& args) {
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    const auto targets = targets_of<T>(args.x, op.options());
    const std::int64_t n = targets.n;
    const std::int64_t classes = targets.classes;
    const T* p = static_cast<const T*>(args.saved);
    const T* largest = p + n * classes;  // for distributions
    const T* dy = args.dy[0].as<T>();
    const T divisor = static_cast<T>(targets.divisor(op.options().reduction));
    const std::int64_t dy_step = op.options().reduction == Reduction::none ? 1 : 0;
    const View dx = args.dx[0];
    const View dt = args.dx[1];
    parallel_ranges(n, 4 * classes * std::int64_t{sizeof(T)}, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const T scale = dy[i * dy_step] / divisor;
        if (dx) logits_gradient(targets, i, p + i * classes, scale, dx.as<T>() + i * classes);
        if (dt)
          distribution_gradient(targets, args.x[0].as<T>() + i * classes, largest[i], largest[n + i], scale,
                                dt.as<T>() + i * classes);
      }
    });
  });
}

// What makes logarithms, and one loss, per row.
ScratchSize scratch(const SoftmaxCrossEntropy&, Specs x, Pass pass) {
  if (pass == Pass::backward) return {};
  return {.shared = 3 * static_cast<std::size_t>(x[0].shape[0]) * size_of(x[0].dtype)};
}

}  // namespace

KernelPtr make_softmax_cross_entropy(const KernelRequest& request) {
  return make_kernel<SoftmaxCrossEntropy>(request, {.forward = forward, .backward = backward, .scratch = scratch});
}

}  // namespace fastcnn
