#include <algorithm>

#include "cpu/kernels.h"
#include "ops/bias_gradient.h"
#include "ops/conv2d_choice.h"
#include "ops/conv_transpose2d.h"
#include "ops/parallel.h"

namespace fastcnn {
namespace {

std::int64_t output_pixels(const Conv2dProblem& p) { return p.n * p.h_in * p.w_in; }

BiasGradient bias_gradient(const Conv2dProblem& p) { return {output_pixels(p), p.c_in}; }

}  // namespace

std::size_t ConvTranspose2d::prepared_bytes(Specs x) const {
  const Conv2dProblem p = problem(x[0].shape, x[1].shape);
  if (p.n == 0) return 0;
  return dispatch_floating(x[0].dtype, [&]<class T>() {
    return Conv2dChoice<T>(selection_, p, Conv2dPass::backward_data).weight_bytes;
  });
}

void ConvTranspose2d::prepare(std::span<const ConstView> x, std::byte* prepared) const {
  const Conv2dProblem p = problem(x[0].spec.shape, x[1].spec.shape);
  dispatch_floating(x[1].spec.dtype, [&]<class T>() {
    Conv2dChoice<T>(selection_, p, Conv2dPass::backward_data).prepare(x[1].as<T>(), reinterpret_cast<T*>(prepared));
  });
}

ScratchSize ConvTranspose2d::scratch(Specs x, Phase phase) const {
  const Conv2dProblem p = problem(x[0].shape, x[1].shape);
  if (p.n == 0) return {};
  return dispatch_floating(x[0].dtype, [&]<class T>() {
    const auto choice = [&](Conv2dPass pass) { return Conv2dChoice<T>(selection_, p, pass); };
    if (phase == Phase::inference) return choice(Conv2dPass::backward_data).scratch;
    if (phase == Phase::forward) return choice(Conv2dPass::backward_data).scratch_with_weights();
    const ScratchSize data = choice(Conv2dPass::forward).scratch_with_weights();
    const ScratchSize weights = choice(Conv2dPass::backward_weights).scratch;
    const auto sums = static_cast<std::size_t>(bias_gradient(p).partial_elements()) * sizeof(T);
    return ScratchSize{.shared = std::max({sums, data.shared, weights.shared}),
                       .per_thread = std::max(data.per_thread, weights.per_thread)};
  });
}

void ConvTranspose2d::forward(const ForwardArgs& args) const {
  const Conv2dProblem p = problem(args.x[0].spec.shape, args.x[1].spec.shape);
  if (p.n == 0) return;
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    T* const y = args.y.as<T>();
    const Conv2dChoice<T> choice(selection_, p, Conv2dPass::backward_data);
    const auto [w, scratch] =
        choice.weights(args.x[1].as<T>(), reinterpret_cast<const T*>(args.prepared), args.scratch);
    choice.algorithm.backward_data(p, args.x[0].as<T>(), w, y, scratch);
    const T* const bias = args.x.size() > 2 ? args.x[2].as<T>() : nullptr;
    if (bias == nullptr && options_.activation.kind == Activation::Kind::identity) return;
    parallel_ranges(output_pixels(p), 2 * p.c_in * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
      kernels<T>().bias_activation(y + begin * p.c_in, end - begin, p.c_in, p.c_in, bias, nullptr,
                                   options_.activation);
    });
  });
}

void ConvTranspose2d::backward(const BackwardArgs& args) const {
  const Conv2dProblem p = problem(args.x[0].spec.shape, args.x[1].spec.shape);
  dispatch_floating(args.dy.spec.dtype, [&]<class T>() {
    T* const dy = args.dy.as<T>();
    T* const dx = args.dx[0].as<T>();
    T* const dw = args.dx[1].as<T>();
    T* const db = args.dx.size() > 2 ? args.dx[2].as<T>() : nullptr;
    if (p.n == 0) {
      if (dw != nullptr) std::fill_n(dw, p.weights(), T{0});
      if (db != nullptr) std::fill_n(db, p.c_in, T{0});
      return;
    }
    bias_gradient(p).compute(options_.activation, args.y.as<T>(), dy, db, args.scratch.shared<T>());
    if (dx != nullptr) {
      const Conv2dChoice<T> choice(selection_, p, Conv2dPass::forward);
      const auto [w, scratch] = choice.weights(args.x[1].as<T>(), nullptr, args.scratch);
      choice.algorithm.forward(p, dy, w, {}, dx, scratch);
    }
    if (dw != nullptr) {
      const Conv2dChoice<T> choice(selection_, p, Conv2dPass::backward_weights);
      choice.algorithm.backward_weights(p, dy, args.x[0].as<T>(), dw, args.scratch);
    }
  });
}

}  // namespace fastcnn
