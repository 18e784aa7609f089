#include "ops/noisy_relu.h"

#include <algorithm>
#include <cmath>

#include "backend/cpu/kernels.h"
#include "backend/cpu/op_kernel.h"
#include "core/ceil_div.h"
#include "core/parallel.h"
#include "core/random.h"

namespace fastcnn {
namespace {

// Calls body(z, first, count) for blocks of elements, z being their normal numbers.
template <class F>
void with_noise(std::int64_t n, const RandomState& random, std::int64_t stream, F body) {
  constexpr std::int64_t ops_per_element = 60;
  const std::int64_t blocks = ceil_div(n, random_block);
  parallel_for(blocks, random_block * ops_per_element, [&](std::int64_t block, int) {
    double z[random_block];
    draw_normal(random.seed, random.stream(static_cast<std::uint64_t>(stream)), block, z);
    body(z, block * random_block, std::min(random_block, n - block * random_block));
  });
}

template <class T>
T sigmoid(T x) {
  return 1 / (1 + std::exp(-x));
}

void forward(const NoisyRelu& op, const StepArgs& args) {
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    const T* x = args.x[0].as<T>();
    T* y = args.y[0].as<T>();
    const std::int64_t n = args.y[0].spec.shape.numel();
    if (!args.run->training) {
      return parallel_ranges(n, 2 * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
        kernels<T>().activation({Activation::Kind::relu}, x + begin, y + begin, end - begin);
      });
    }
    with_noise(n, args.run->random, op.stream(), [&](const double* z, std::int64_t first, std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) {
        const T noisy = x[first + i] + std::sqrt(sigmoid(x[first + i])) * static_cast<T>(z[i]);
        y[first + i] = noisy < 0 ? T{0} : noisy;  // NaN stays NaN
      }
    });
  });
}

// d sqrt(s) / dx = sqrt(s) (1 - s) / 2.
void backward(const NoisyRelu& op, const StepArgs& args) {
  if (!args.dx[0]) return;
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    const T* x = args.x[0].as<T>();
    const T* dy = args.dy[0].as<T>();
    T* dx = args.dx[0].as<T>();
    const std::int64_t n = args.dy[0].spec.shape.numel();
    with_noise(n, args.run->random, op.stream(), [&](const double* z, std::int64_t first, std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) {
        const T s = sigmoid(x[first + i]);
        const T noise = std::sqrt(s) * static_cast<T>(z[i]);
        dx[first + i] = x[first + i] + noise > 0 ? dy[first + i] * (1 + noise * (1 - s) / 2) : T{0};
      }
    });
  });
}

}  // namespace

KernelPtr make_noisy_relu(const KernelRequest& request) {
  return make_kernel<NoisyRelu>(request, {.forward = forward, .backward = backward, .in_place = true});
}

}  // namespace fastcnn
