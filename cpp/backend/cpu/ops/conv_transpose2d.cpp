// A transposed convolution is the gradient of a convolution, and computed as that: forward by an algorithm's
// backward_data, the gradient of x by its forward, that of w by its backward_weights.
#include "ops/conv_transpose2d.h"

#include <algorithm>
#include <memory>

#include "backend/cpu/conv2d/choice.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/op_kernel.h"
#include "backend/cpu/ops/bias_gradient.h"
#include "backend/cpu/ops/empty_batch.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

Conv2dProblem problem_of(const ConvTranspose2d& op, const KernelRequest& request) {
  return {{op.extents(request.x[0].shape, request.x[1].shape)}, request.policy.gemm};
}

Conv2dSelection selection_of(const ConvTranspose2d& op, const Policy& policy) {
  return Conv2dSelection(op.options().algorithm, policy.conv2d_algorithms);
}

std::int64_t output_pixels(const Conv2dProblem& p) { return p.n * p.h_in * p.w_in; }

template <class T>
class ConvTranspose2dForward final : public Kernel {
 public:
  explicit ConvTranspose2dForward(const KernelRequest& request)
      : op_(std::static_pointer_cast<const ConvTranspose2d>(request.op)),
        choice_(selection_of(*op_, request.policy), problem_of(*op_, request), Conv2dPass::backward_data) {
    if (request.pass == Pass::inference) {
      memory_ = {.scratch = choice_.scratch, .prepared = choice_.weight_bytes, .prepared_from = 0b10};
    } else {
      memory_.scratch = choice_.scratch_with_weights();
    }
  }

  Memory memory() const override { return memory_; }
  std::vector<AlgorithmChoice> algorithms() const override { return {choice_.explanation(Conv2dPass::forward)}; }

  void prepare(std::span<const ConstView> x, std::byte* prepared, Stream&) const override {
    choice_.prepare(x[1].as<T>(), reinterpret_cast<T*>(prepared));
  }

  std::string prepared_form() const override { return choice_.prepared_form(); }

  void run(const StepArgs& args, Stream&) const override {
    const Conv2dProblem& p = choice_.p;
    const Activation& f = op_->options().activation;
    T* const y = args.y[0].as<T>();
    const auto [w, scratch] =
        choice_.weights(args.x[1].as<T>(), reinterpret_cast<const T*>(args.prepared), args.scratch);
    choice_.algorithm.backward_data(p, args.x[0].as<T>(), w, y, scratch);
    const T* const bias = args.x.size() > 2 ? args.x[2].as<T>() : nullptr;
    if (bias == nullptr && f.kind == Activation::Kind::identity) return;
    parallel_ranges(output_pixels(p), 2 * p.c_in * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
      kernels<T>().bias_activation(y + begin * p.c_in, end - begin, p.c_in, p.c_in, bias, nullptr, f);
    });
  }

 private:
  std::shared_ptr<const ConvTranspose2d> op_;
  Conv2dChoice<T> choice_;
  Memory memory_;
};

template <class T>
class ConvTranspose2dBackward final : public Kernel {
 public:
  explicit ConvTranspose2dBackward(const KernelRequest& request)
      : op_(std::static_pointer_cast<const ConvTranspose2d>(request.op)),
        data_(selection_of(*op_, request.policy), problem_of(*op_, request), Conv2dPass::forward),
        weights_(selection_of(*op_, request.policy), data_.p, Conv2dPass::backward_weights),
        bias_{output_pixels(data_.p), data_.p.c_in} {}

  Memory memory() const override {
    const ScratchSize data = data_.scratch_with_weights();
    const auto sums = static_cast<std::size_t>(bias_.partial_elements()) * sizeof(T);
    return {.scratch = {.shared = std::max({sums, data.shared, weights_.scratch.shared}),
                        .per_thread = std::max(data.per_thread, weights_.scratch.per_thread)}};
  }
  std::vector<AlgorithmChoice> algorithms() const override {
    return {data_.explanation(Conv2dPass::backward_data), weights_.explanation(Conv2dPass::backward_weights)};
  }

  void run(const StepArgs& args, Stream&) const override {
    T* const dy = args.dy[0].as<T>();
    T* const dx = args.dx[0].as<T>();
    T* const dw = args.dx[1].as<T>();
    T* const db = args.dx.size() > 2 ? args.dx[2].as<T>() : nullptr;
    bias_.compute(op_->options().activation, args.y[0].as<T>(), dy, db, args.scratch.shared<T>());
    if (dx != nullptr) {
      const auto [w, scratch] = data_.weights(args.x[1].as<T>(), nullptr, args.scratch);
      data_.algorithm.forward(data_.p, dy, w, {}, dx, scratch);
    }
    if (dw != nullptr) weights_.algorithm.backward_weights(weights_.p, dy, args.x[0].as<T>(), dw, args.scratch);
  }

 private:
  std::shared_ptr<const ConvTranspose2d> op_;
  Conv2dChoice<T> data_, weights_;
  BiasGradient bias_;
};

}  // namespace

KernelPtr make_conv_transpose2d(const KernelRequest& request) {
  if (request.x[0].shape[0] == 0) return make_empty_batch();
  return dispatch_floating(request.x[0].dtype, [&]<class T>() -> KernelPtr {
    if (request.pass == Pass::backward) return std::make_unique<ConvTranspose2dBackward<T>>(request);
    return std::make_unique<ConvTranspose2dForward<T>>(request);
  });
}

}  // namespace fastcnn
