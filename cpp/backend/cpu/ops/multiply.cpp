#include "ops/multiply.h"

#include <algorithm>

#include "backend/cpu/op_kernel.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

// Calls body(at, count, product) for blocks of n elements, `product` having room for one.
template <class T, class F>
void for_blocks(std::int64_t n, std::size_t inputs, F body) {
  constexpr std::int64_t block = 256;
  const std::int64_t bytes = static_cast<std::int64_t>((inputs + 1) * sizeof(T));
  parallel_ranges(n, bytes, [&](std::int64_t begin, std::int64_t end) {
    T product[block];
    for (std::int64_t at = begin; at < end; at += block) body(at, std::min(block, end - at), product);
  });
}

template <class T>
void multiply_by(const ConstView& x, std::int64_t at, std::int64_t count, T* product) {
  const T* from = x.as<T>() + at;
  for (std::int64_t i = 0; i < count; ++i) product[i] *= from[i];
}

void forward(const Multiply&, const StepArgs& args) {
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    for_blocks<T>(args.y[0].spec.shape.numel(), args.x.size(), [&](std::int64_t at, std::int64_t count, T* product) {
      std::copy_n(args.x[0].as<T>() + at, count, product);
      for (const ConstView& x : args.x.subspan(1)) multiply_by(x, at, count, product);
      std::copy_n(product, count, args.y[0].as<T>() + at);
    });
  });
}

// Each gradient multiplies dy by all other inputs: nothing is divided, so zeros do no harm.
void backward(const Multiply&, const StepArgs& args) {
  const std::size_t inputs = args.dx.size();
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    for_blocks<T>(args.dy[0].spec.shape.numel(), inputs * inputs, [&](std::int64_t at, std::int64_t count, T* product) {
      for (std::size_t i = 0; i < inputs; ++i) {
        if (!args.dx[i]) continue;
        std::copy_n(args.dy[0].as<T>() + at, count, product);
        for (std::size_t j = 0; j < inputs; ++j)
          if (j != i) multiply_by(args.x[j], at, count, product);
        std::copy_n(product, count, args.dx[i].as<T>() + at);
      }
    });
  });
}

}  // namespace

KernelPtr make_multiply(const KernelRequest& request) {
  const bool in_place = request.pass != Pass::backward;
  return make_kernel<Multiply>(request, {.forward = forward, .backward = backward, .in_place = in_place});
}

}  // namespace fastcnn
