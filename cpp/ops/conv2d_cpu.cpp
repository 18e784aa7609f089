// Hands the passes to the algorithms.
#include <algorithm>
#include <optional>

#include "core/error.h"
#include "ops/bias_gradient.h"
#include "ops/channel_norm.h"
#include "ops/conv2d.h"
#include "ops/conv2d_choice.h"
#include "ops/parallel.h"

namespace fastcnn {
namespace {

View input_gradient(const BackwardArgs& args, std::size_t i) {
  return i < args.dx.size() ? args.dx[i] : View{};
}

// What the biases take in front of prepared weights.
template <class T>
std::size_t bias_bytes(const Conv2dProblem& p) {
  return align_up(static_cast<std::size_t>(p.c_out) * sizeof(T));
}

template <class T>
void fill_zero(View view) {
  if (view) std::fill_n(view.as<T>(), view.spec.shape.numel(), T{0});
}

}  // namespace

// The weights as the algorithm reads them; with a norm they hold it, and the biases with it come first.
std::size_t Conv2d::prepared_bytes(Specs x) const {
  const Conv2dProblem p = problem(x[0].shape, x[1].shape);
  if (p.n == 0) return 0;
  return dispatch_floating(x[0].dtype, [&]<class T>() {
    const std::size_t weights = Conv2dChoice<T>(selection_, p, Conv2dPass::forward).weight_bytes;
    if (!options_.norm) return weights;
    return bias_bytes<T>(p) + (weights > 0 ? weights : x[1].bytes());
  });
}

void Conv2d::prepare(std::span<const ConstView> x, std::byte* prepared) const {
  const Conv2dProblem p = problem(x[0].spec.shape, x[1].spec.shape);
  dispatch_floating(x[1].spec.dtype, [&]<class T>() {
    const Conv2dChoice<T> pass(selection_, p, Conv2dPass::forward);
    if (!options_.norm) return pass.prepare(x[1].as<T>(), reinterpret_cast<T*>(prepared));
    T* const biases = reinterpret_cast<T*>(prepared);
    T* const weights = reinterpret_cast<T*>(prepared + bias_bytes<T>(p));
    Tensor aside;  // once per state of the parameters
    if (pass.weight_bytes > 0) aside = Tensor(x[1].spec);
    T* const folded = aside ? aside.view().template as<T>() : weights;
    fold_channel_norm<T>(*options_.norm, {x, 3}, x[1].as<T>(), x[2].as<T>(), p.c_out, p.depth(), folded, biases);
    if (aside) pass.prepare(folded, weights);
  });
}

ScratchSize Conv2d::scratch(Specs x, Phase phase) const {
  const Conv2dProblem p = problem(x[0].shape, x[1].shape);
  if (p.n == 0) return {};
  return dispatch_floating(x[0].dtype, [&]<class T>() {
    const auto needed = [&](Conv2dPass pass) { return Conv2dChoice<T>(selection_, p, pass); };
    if (phase == Phase::inference) return needed(Conv2dPass::forward).scratch;
    if (phase == Phase::forward) return needed(Conv2dPass::forward).scratch_with_weights();
    const ScratchSize data = needed(Conv2dPass::backward_data).scratch_with_weights();
    const ScratchSize weights = needed(Conv2dPass::backward_weights).scratch;
    const std::size_t sums = static_cast<std::size_t>(BiasGradient{p.pixels(), p.c_out}.partial_elements()) * sizeof(T);
    return ScratchSize{.shared = std::max({sums, data.shared, weights.shared}),
                       .per_thread = std::max(data.per_thread, weights.per_thread)};
  });
}

// What is small is still in a cache that all threads share when the next op reads it: gathering saves nothing.
std::size_t Conv2d::moments_bytes(Specs x) const {
  const Conv2dProblem p = problem(x[0].shape, x[1].shape);
  if (p.n == 0) return 0;
  return dispatch_floating(x[0].dtype, [&]<class T>() -> std::size_t {
    if (selection_.is_auto() && !outgrows_caches(static_cast<std::size_t>(p.pixels() * p.c_out) * sizeof(T))) return 0;
    const std::int64_t parts = Conv2dChoice<T>(selection_, p, Conv2dPass::forward).algorithm.moments_parts(p);
    return parts > 0 ? ChannelMoments<T>::bytes(parts, p.c_out) : 0;
  });
}

void Conv2d::forward(const ForwardArgs& args) const {
  const Conv2dProblem p = problem(args.x[0].spec.shape, args.x[1].spec.shape);
  if (p.n == 0) return;
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    const Conv2dChoice<T> pass(selection_, p, Conv2dPass::forward);
    const T* bias = args.x.size() > 2 ? args.x[2].as<T>() : nullptr;
    const T* weights = args.x[1].as<T>();
    const std::byte* prepared = args.prepared;
    if (options_.norm) {
      if (prepared == nullptr) throw Error("conv2d with a batch norm needs what prepare() makes");
      bias = reinterpret_cast<const T*>(prepared);
      prepared += bias_bytes<T>(p);
      weights = reinterpret_cast<const T*>(prepared);
    }
    const auto [w, scratch] = pass.weights(weights, reinterpret_cast<const T*>(prepared), args.scratch);
    const T* residual = options_.residual ? args.x.back().as<T>() : nullptr;
    std::optional<ChannelMoments<T>> moments;
    if (args.moments_of_y != nullptr) moments.emplace(args.moments_of_y, pass.algorithm.moments_parts(p), p.c_out);
    pass.algorithm.forward(p, args.x[0].as<T>(), w,
                           {.bias = bias, .residual = residual, .activation = options_.activation}, args.y.as<T>(),
                           scratch, moments ? &*moments : nullptr);
  });
}

void Conv2d::backward(const BackwardArgs& args) const {
  const Conv2dProblem p = problem(args.x[0].spec.shape, args.x[1].spec.shape);
  const View dx = input_gradient(args, 0);
  const View dw = input_gradient(args, 1);
  const View db = input_gradient(args, 2);
  dispatch_floating(args.dy.spec.dtype, [&]<class T>() {
    if (p.n == 0) {
      fill_zero<T>(dw);
      fill_zero<T>(db);
      return;
    }
    T* dy = args.dy.as<T>();
    const BiasGradient bias{p.pixels(), p.c_out};
    bias.compute(options_.activation, args.y.as<T>(), dy, db.as<T>(), args.scratch.shared<T>());
    const View dresidual = options_.residual ? input_gradient(args, places() - 1) : View{};
    if (dresidual) parallel_copy(dy, dresidual.data, static_cast<std::int64_t>(dresidual.spec.bytes()));
    if (dx) {
      const Conv2dChoice<T> pass(selection_, p, Conv2dPass::backward_data);
      const auto [w, scratch] = pass.weights(args.x[1].as<T>(), nullptr, args.scratch);
      pass.algorithm.backward_data(p, dy, w, dx.as<T>(), scratch);
    }
    if (dw) {
      const Conv2dChoice<T> pass(selection_, p, Conv2dPass::backward_weights);
      pass.algorithm.backward_weights(p, args.x[0].as<T>(), dy, dw.as<T>(), args.scratch);
    }
  });
}

}  // namespace fastcnn
