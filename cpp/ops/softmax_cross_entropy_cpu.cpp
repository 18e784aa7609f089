#include "core/error.h"
#include "cpu/kernels.h"
#include "ops/parallel.h"
#include "ops/softmax_cross_entropy.h"

namespace fastcnn {
namespace {

void check_targets(const std::int64_t* target, std::int64_t n, std::int64_t classes) {
  for (std::int64_t i = 0; i < n; ++i)
    if (target[i] < 0 || target[i] >= classes)
      throw ValueError("target " + std::to_string(target[i]) + " at index " + std::to_string(i) +
                       " is out of range, expected 0 to " + std::to_string(classes - 1));
}

}  // namespace

void SoftmaxCrossEntropy::forward(const ForwardArgs& args) const {
  const std::int64_t n = args.x[0].spec.shape[0];
  const std::int64_t classes = args.x[0].spec.shape[1];
  const std::int64_t* target = args.x[1].as<std::int64_t>();
  check_targets(target, n, classes);
  dispatch_floating(args.x[0].spec.dtype, [&]<class T>() {
    const T* logits = args.x[0].as<T>();
    T* probabilities = static_cast<T*>(args.saved);
    T* loss = reduction_ == Reduction::none ? args.y.as<T>() : args.scratch.shared<T>();
    parallel_ranges(n, 40 * classes, [&](std::int64_t begin, std::int64_t end) {
      kernels<T>().softmax_cross_entropy(logits + begin * classes, target + begin,
                                         probabilities ? probabilities + begin * classes : nullptr, loss + begin,
                                         end - begin, classes);
    });
    if (reduction_ == Reduction::none) return;
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(loss[i]);
    *args.y.as<T>() = static_cast<T>(reduction_ == Reduction::mean ? sum / static_cast<double>(n) : sum);
  });
}

void SoftmaxCrossEntropy::backward(const BackwardArgs& args) const {
  if (!args.dx[0]) return;
  const std::int64_t n = args.dx[0].spec.shape[0];
  const std::int64_t classes = args.dx[0].spec.shape[1];
  const std::int64_t* target = args.x[1].as<std::int64_t>();
  dispatch_floating(args.dx[0].spec.dtype, [&]<class T>() {
    const T* probabilities = static_cast<const T*>(args.saved);
    const T* dy = args.dy.as<T>();
    T* dx = args.dx[0].as<T>();
    parallel_ranges(n, 2 * classes * std::int64_t{sizeof(T)}, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        T scale = dy[reduction_ == Reduction::none ? i : 0];
        if (reduction_ == Reduction::mean) scale /= static_cast<T>(n);
        const T* p = probabilities + i * classes;
        T* row = dx + i * classes;
        for (std::int64_t j = 0; j < classes; ++j) row[j] = scale * p[j];
        row[target[i]] -= scale;
      }
    });
  });
}

}  // namespace fastcnn
