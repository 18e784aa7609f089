// Hands the passes of a convolution to the algorithms that were chosen for them.
#include "ops/conv2d.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <optional>

#include "backend/cpu/conv2d/choice.h"
#include "backend/cpu/op_kernel.h"
#include "backend/cpu/ops/batch_statistics.h"
#include "backend/cpu/ops/bias_gradient.h"
#include "backend/cpu/ops/channel_norm.h"
#include "backend/cpu/ops/empty_batch.h"
#include "core/error.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

Conv2dProblem problem_of(const Conv2d& op, const KernelRequest& request) {
  return {{op.extents(request.x[0].shape, request.x[1].shape)}, request.policy.gemm};
}

Conv2dSelection selection_of(const Conv2d& op, const Policy& policy) {
  return Conv2dSelection(op.options().algorithm, policy.conv2d_algorithms);
}

// At inference the weights are prepared as the algorithm reads them; with a norm they hold it, and the biases with it come
// first.
template <class T>
class Conv2dForward final : public Kernel {
 public:
  explicit Conv2dForward(const KernelRequest& request)
      : op_(std::static_pointer_cast<const Conv2d>(request.op)),
        choice_(selection_of(*op_, request.policy), problem_of(*op_, request), Conv2dPass::forward) {
    if (request.pass == Pass::inference) {
      memory_.scratch = choice_.scratch;
      memory_.prepared = choice_.weight_bytes;
      memory_.prepared_from = 0b110;
      if (op_->options().norm) {
        memory_.prepared = bias_bytes() + (choice_.weight_bytes > 0 ? choice_.weight_bytes : request.x[1].bytes());
        memory_.prepared_from = 0b1111110;
      }
    } else {
      memory_.scratch = choice_.scratch_with_weights();
      memory_.statistics = statistics_bytes();
    }
  }

  Memory memory() const override { return memory_; }
  std::vector<AlgorithmChoice> algorithms() const override { return {choice_.explanation(Conv2dPass::forward)}; }

  void prepare(std::span<const ConstView> x, std::byte* prepared, Stream&) const override {
    const std::optional<ChannelNorm>& norm = op_->options().norm;
    if (!norm) return choice_.prepare(x[1].as<T>(), reinterpret_cast<T*>(prepared));
    T* const biases = reinterpret_cast<T*>(prepared);
    T* const weights = reinterpret_cast<T*>(prepared + bias_bytes());
    Tensor aside;  // once per state of the parameters
    if (choice_.weight_bytes > 0) aside = Tensor(x[1].spec);
    T* const folded = aside ? aside.view().template as<T>() : weights;
    fold_channel_norm<T>(*norm, {x, 3}, x[1].as<T>(), x[2].as<T>(), choice_.p.c_out, choice_.p.depth(), folded, biases);
    if (aside) choice_.prepare(folded, weights);
  }

  std::string prepared_form() const override {
    const std::optional<ChannelNorm>& norm = op_->options().norm;
    return choice_.prepared_form() + (norm ? " norm " + std::to_string(std::bit_cast<std::uint64_t>(norm->eps)) : "");
  }

  void run(const StepArgs& args, Stream&) const override {
    const Conv2d::Options& options = op_->options();
    const T* bias = args.x.size() > 2 ? args.x[2].as<T>() : nullptr;
    const T* weights = args.x[1].as<T>();
    const std::byte* prepared = args.prepared;
    if (options.norm) {
      if (prepared == nullptr) throw Error("conv2d with a batch norm needs what prepare() makes");
      bias = reinterpret_cast<const T*>(prepared);
      prepared += bias_bytes();
      weights = reinterpret_cast<const T*>(prepared);
    }
    const auto [w, scratch] = choice_.weights(weights, reinterpret_cast<const T*>(prepared), args.scratch);
    const T* residual = options.residual ? args.x.back().as<T>() : nullptr;
    std::optional<BatchStatistics<T>> statistics;
    if (args.statistics_of_y != nullptr)
      statistics.emplace(args.statistics_of_y, choice_.algorithm.statistics_parts(choice_.p), choice_.p.c_out);
    choice_.algorithm.forward(choice_.p, args.x[0].as<T>(), w,
                              {.bias = bias, .residual = residual, .activation = options.activation},
                              args.y[0].as<T>(), scratch, statistics ? &*statistics : nullptr);
  }

 private:
  // What the biases take in front of prepared weights.
  std::size_t bias_bytes() const { return align_up(static_cast<std::size_t>(choice_.p.c_out) * sizeof(T)); }

  // What is small is still in a cache that all threads share when the next op reads it: gathering saves nothing.
  std::size_t statistics_bytes() const {
    const Conv2dProblem& p = choice_.p;
    const bool is_auto = op_->options().algorithm == "auto";
    if (is_auto && !outgrows_caches(static_cast<std::size_t>(p.pixels() * p.c_out) * sizeof(T))) return 0;
    const std::int64_t parts = choice_.algorithm.statistics_parts(p);
    return parts > 0 ? BatchStatistics<T>::bytes(parts, p.c_out) : 0;
  }

  std::shared_ptr<const Conv2d> op_;
  Conv2dChoice<T> choice_;
  Memory memory_;
};

template <class T>
class Conv2dBackward final : public Kernel {
 public:
  explicit Conv2dBackward(const KernelRequest& request)
      : op_(std::static_pointer_cast<const Conv2d>(request.op)),
        data_(selection_of(*op_, request.policy), problem_of(*op_, request), Conv2dPass::backward_data),
        weights_(selection_of(*op_, request.policy), data_.p, Conv2dPass::backward_weights),
        bias_{data_.p.pixels(), data_.p.c_out} {}

  Memory memory() const override {
    const ScratchSize data = data_.scratch_with_weights();
    const std::size_t sums = static_cast<std::size_t>(bias_.partial_elements()) * sizeof(T);
    return {.scratch = {.shared = std::max({sums, data.shared, weights_.scratch.shared}),
                        .per_thread = std::max(data.per_thread, weights_.scratch.per_thread)}};
  }
  std::vector<AlgorithmChoice> algorithms() const override {
    return {data_.explanation(Conv2dPass::backward_data), weights_.explanation(Conv2dPass::backward_weights)};
  }

  void run(const StepArgs& args, Stream&) const override {
    const auto gradient = [&](std::size_t i) { return i < args.dx.size() ? args.dx[i] : View{}; };
    const Conv2d::Options& options = op_->options();
    T* const dy = args.dy[0].as<T>();
    bias_.compute(options.activation, args.y[0].as<T>(), dy, gradient(2).template as<T>(), args.scratch.shared<T>());
    const View dresidual = options.residual ? gradient(op_->places() - 1) : View{};
    if (dresidual) parallel_copy(dy, dresidual.data, static_cast<std::int64_t>(dresidual.spec.bytes()));
    if (const View dx = gradient(0)) {
      const auto [w, scratch] = data_.weights(args.x[1].as<T>(), nullptr, args.scratch);
      data_.algorithm.backward_data(data_.p, dy, w, dx.as<T>(), scratch);
    }
    if (const View dw = gradient(1))
      weights_.algorithm.backward_weights(weights_.p, args.x[0].as<T>(), dy, dw.as<T>(), args.scratch);
  }

 private:
  std::shared_ptr<const Conv2d> op_;
  Conv2dChoice<T> data_, weights_;
  BiasGradient bias_;
};

}  // namespace

KernelPtr make_conv2d(const KernelRequest& request) {
  if (request.x[0].shape[0] == 0) return make_empty_batch();
  return dispatch_floating(request.x[0].dtype, [&]<class T>() -> KernelPtr {
    if (request.pass == Pass::backward) return std::make_unique<Conv2dBackward<T>>(request);
    return std::make_unique<Conv2dForward<T>>(request);
  });
}

}  // namespace fastcnn
