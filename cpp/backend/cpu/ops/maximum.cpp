#include "ops/maximum.h"

#include <algorithm>

#include "backend/cpu/op_kernel.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

constexpr std::int64_t block = 256;  // elements whose largest values are gathered before any is written

// largest[i] = the largest of element at + i of the inputs; NaN where one is.
template <class T>
void gather(std::span<const ConstView> x, std::int64_t at, std::int64_t count, T* largest) {
  std::copy_n(x[0].template as<T>() + at, count, largest);
  for (std::size_t input = 1; input < x.size(); ++input) {
    const T* from = x[input].template as<T>() + at;
    for (std::int64_t i = 0; i < count; ++i)
      largest[i] = !(from[i] <= largest[i]) & (largest[i] == largest[i]) ? from[i] : largest[i];
  }
}

// Calls body(at, count) for the blocks of n elements.
template <class T, class F>
void for_blocks(std::int64_t n, std::size_t inputs, F body) {
  const std::int64_t bytes = static_cast<std::int64_t>((2 * inputs + 1) * sizeof(T));
  parallel_ranges(n, bytes, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; at += block) body(at, std::min(block, end - at));
  });
}

void forward(const Maximum&, const StepArgs& args) {
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    for_blocks<T>(args.y[0].spec.shape.numel(), args.x.size(), [&](std::int64_t at, std::int64_t count) {
      T largest[block];
      gather(args.x, at, count, largest);
      std::copy_n(largest, count, args.y[0].as<T>() + at);
    });
  });
}

void backward(const Maximum&, const StepArgs& args) {
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    for_blocks<T>(args.dy[0].spec.shape.numel(), args.x.size(), [&](std::int64_t at, std::int64_t count) {
      T largest[block];
      gather(args.x, at, count, largest);
      T* left = args.dy[0].as<T>() + at;  // of dy: what no input has taken yet
      for (std::size_t input = 0; input < args.x.size(); ++input) {
        const T* x = args.x[input].as<T>() + at;
        T* dx = args.dx[input] ? args.dx[input].as<T>() + at : nullptr;
        for (std::int64_t i = 0; i < count; ++i) {
          const bool here = x[i] == largest[i];
          if (dx != nullptr) dx[i] = here ? left[i] : T{0};
          left[i] = here ? T{0} : left[i];
        }
      }
    });
  });
}

}  // namespace

KernelPtr make_maximum(const KernelRequest& request) {
  const bool in_place = request.pass != Pass::backward;
  return make_kernel<Maximum>(request, {.forward = forward, .backward = backward, .in_place = in_place});
}

}  // namespace fastcnn
