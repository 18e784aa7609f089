// Hands the passes to the algorithms; the gradients of bias and activation, which are the same for all.
#include <algorithm>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/thread_pool.h"
#include "cpu/kernels.h"
#include "ops/channel_norm.h"
#include "ops/conv2d.h"
#include "ops/parallel.h"

namespace fastcnn {
namespace {

// Pixels whose gradients one task looks at; one partial sum of db each.
std::int64_t block_pixels(const Conv2dProblem& p) {
  constexpr std::int64_t block_elements = 1 << 14;
  constexpr std::int64_t most_blocks = 64;
  const std::int64_t pixels = std::max<std::int64_t>(1, block_elements / p.c_out);
  return std::max(pixels, (p.pixels() + most_blocks - 1) / most_blocks);
}

std::int64_t block_count(const Conv2dProblem& p) {
  return (p.pixels() + block_pixels(p) - 1) / block_pixels(p);
}

// dy *= f'(y) in place, and db = sums of that over all pixels, in one pass over memory. db may be null.
template <class T>
void sum_gradient(const Conv2dProblem& p, const Activation& f, const T* y, T* dy, T* db, T* partial) {
  const bool has_activation = f.kind != Activation::Kind::identity;
  if (!has_activation && db == nullptr) return;
  const std::int64_t block = block_pixels(p);
  const std::int64_t blocks = block_count(p);
  const auto bytes = static_cast<std::int64_t>(3 * sizeof(T));
  parallel_for(blocks, block * p.c_out * bytes, [&](std::int64_t task, int) {
    const std::int64_t pixels = std::min(block, p.pixels() - task * block);
    const std::int64_t first = task * block * p.c_out;
    if (has_activation) {
      const T* y_block = y != nullptr ? y + first : nullptr;
      kernels<T>().activation_gradient(f, nullptr, y_block, dy + first, dy + first, pixels * p.c_out);
    }
    if (db != nullptr)
      kernels<T>().column_sums(dy + first, pixels, p.c_out, p.c_out, partial + task * p.c_out);
  });
  if (db != nullptr) kernels<T>().column_sums(partial, blocks, p.c_out, p.c_out, db);
}

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

// One pass of one problem, with the algorithm that does it.
template <class T>
struct Conv2d::Pass {
  Pass(const Conv2d& op, const Conv2dProblem& problem, Conv2dPass kind)
      : p(problem),
        pass(kind),
        algorithm(choose_conv2d_algorithm<T>(op.selection_, p, pass)),
        weight_bytes(static_cast<std::size_t>(algorithm.prepared_elements(p, pass)) * sizeof(T)),
        scratch(algorithm.scratch(p, pass)) {}

  // With room for weights that nobody prepared.
  ScratchSize scratch_with_weights() const {
    return {.shared = align_up(weight_bytes) + scratch.shared, .per_thread = scratch.per_thread};
  }
  void prepare(const T* w, T* prepared) const { algorithm.prepare(p, pass, w, prepared); }
  // The weights as the algorithm reads them, and the scratch that is left.
  std::pair<const T*, Scratch> weights(const T* w, const T* prepared, const Scratch& room) const {
    if (weight_bytes == 0) return {w, room};
    if (prepared != nullptr) return {prepared, room};
    prepare(w, room.template shared<T>());
    return {room.template shared<T>(), room.after(weight_bytes)};
  }

  const Conv2dProblem& p;
  Conv2dPass pass;
  const Conv2dAlgorithm<T>& algorithm;
  std::size_t weight_bytes;  // of the prepared weights; 0: it reads them as they are stored
  ScratchSize scratch;
};

// The weights as the algorithm reads them; with a norm they hold it, and the biases with it come first.
std::size_t Conv2d::prepared_bytes(Specs x) const {
  const Conv2dProblem p = problem(x[0].shape, x[1].shape);
  if (p.n == 0) return 0;
  return dispatch_floating(x[0].dtype, [&]<class T>() {
    const std::size_t weights = Pass<T>(*this, p, Conv2dPass::forward).weight_bytes;
    if (!options_.norm) return weights;
    return bias_bytes<T>(p) + (weights > 0 ? weights : x[1].bytes());
  });
}

void Conv2d::prepare(std::span<const ConstView> x, std::byte* prepared) const {
  const Conv2dProblem p = problem(x[0].spec.shape, x[1].spec.shape);
  dispatch_floating(x[1].spec.dtype, [&]<class T>() {
    const Pass<T> pass(*this, p, Conv2dPass::forward);
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
    const auto needed = [&](Conv2dPass pass) { return Pass<T>(*this, p, pass); };
    if (phase == Phase::inference) return needed(Conv2dPass::forward).scratch;
    if (phase == Phase::forward) return needed(Conv2dPass::forward).scratch_with_weights();
    const ScratchSize data = needed(Conv2dPass::backward_data).scratch_with_weights();
    const ScratchSize weights = needed(Conv2dPass::backward_weights).scratch;
    const std::size_t sums = static_cast<std::size_t>(block_count(p) * p.c_out) * sizeof(T);
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
    const std::int64_t parts = Pass<T>(*this, p, Conv2dPass::forward).algorithm.moments_parts(p);
    return parts > 0 ? ChannelMoments<T>::bytes(parts, p.c_out) : 0;
  });
}

void Conv2d::forward(const ForwardArgs& args) const {
  const Conv2dProblem p = problem(args.x[0].spec.shape, args.x[1].spec.shape);
  if (p.n == 0) return;
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    const Pass<T> pass(*this, p, Conv2dPass::forward);
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
    sum_gradient(p, options_.activation, args.y.as<T>(), dy, db.as<T>(), args.scratch.shared<T>());
    const View dresidual = options_.residual ? input_gradient(args, places() - 1) : View{};
    if (dresidual) parallel_copy(dy, dresidual.data, static_cast<std::int64_t>(dresidual.spec.bytes()));
    if (dx) {
      const Pass<T> pass(*this, p, Conv2dPass::backward_data);
      const auto [w, scratch] = pass.weights(args.x[1].as<T>(), nullptr, args.scratch);
      pass.algorithm.backward_data(p, dy, w, dx.as<T>(), scratch);
    }
    if (dw) {
      const Pass<T> pass(*this, p, Conv2dPass::backward_weights);
      pass.algorithm.backward_weights(p, args.x[0].as<T>(), dy, dw.as<T>(), args.scratch);
    }
  });
}

}  // namespace fastcnn
