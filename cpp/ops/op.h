// What every op is. An op is immutable and stateless: it holds hyper-parameters, knows shapes, and
// computes forward and backward on views that the plan placed. One op = <op>.h, <op>.cpp (shapes,
// checks), <op>_cpu.cpp (forward beside backward); registry.cpp lists them all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/allocator.h"
#include "core/random.h"
#include "core/tensor.h"
#include "cpu/activation.h"
#include "ops/gradient_pieces.h"

namespace fastcnn {

// What a plan runs an op for: forward at inference, forward in training, backward.
enum class Phase { inference, forward, backward };

using Specs = std::span<const Spec>;

// What backward reads of the forward pass, beyond dy. The plan keeps these alive and nothing else.
struct Needs {
  std::uint32_t x = 0;         // bit i: input i
  bool y = false;              // the output
  std::size_t saved_bytes = 0; // what forward writes to `saved` for backward
};

// Bytes of uninitialised working memory during one call.
struct ScratchSize {
  std::size_t shared = 0;
  std::size_t per_thread = 0;
};

// Working memory of one call; both parts 64-byte aligned.
class Scratch {
 public:
  Scratch() = default;
  Scratch(std::byte* shared, std::byte* per_thread, std::size_t stride)
      : shared_(shared), per_thread_(per_thread), stride_(stride) {}
  // What follows the first `bytes` of the shared part, rounded up to its alignment.
  Scratch after(std::size_t bytes) const { return {shared_ + align_up(bytes), per_thread_, stride_}; }
  template <class T>
  T* shared() const {
    return reinterpret_cast<T*>(shared_);
  }
  // `worker` as parallel_for hands it out.
  template <class T>
  T* of_worker(int worker) const {
    return reinterpret_cast<T*>(per_thread_ + static_cast<std::size_t>(worker) * stride_);
  }

 private:
  std::byte* shared_ = nullptr;
  std::byte* per_thread_ = nullptr;
  std::size_t stride_ = 0;
};

// y = gamma (x - mean) / sqrt(variance + eps) + beta.
struct ChannelNorm {
  double eps;
};

// What is the same for every op of one run.
struct RunContext {
  bool training = false;
  RandomState random;
};

struct ForwardArgs {
  std::span<const ConstView> x;  // an absent optional input has no data
  View y;
  void* saved = nullptr;  // Needs::saved_bytes, or null at inference
  Scratch scratch;
  const RunContext* run = nullptr;
  // At inference, what prepare() made of the parameters as they are now; null when nobody called it.
  const std::byte* prepared = nullptr;
  std::span<const View> state{};  // in training, the inputs that updates() names; no data for the others
  // In training, channel_moments.h: those of x[0], where the op takes_moments() and its producer gathered them;
  // those of y, moments_bytes() long, where they are wanted. Else null.
  const std::byte* moments_of_x = nullptr;
  std::byte* moments_of_y = nullptr;
};

struct BackwardArgs {
  std::span<const ConstView> x;  // data only where Needs::x asks (parameters always)
  ConstView y;                   // data only where Needs::y asks
  const void* saved = nullptr;
  View dy;                   // may be overwritten
  std::span<const View> dx;  // no data: not wanted. Otherwise written in full, never added to.
  Scratch scratch;
  const RunContext* run = nullptr;
  GradientPieces* pieces = nullptr;  // of the input that gives_pieces() names, instead of its dx; null when not wanted
};

class Op {
 public:
  virtual ~Op() = default;

  virtual std::string_view kind() const = 0;  // the registry's name: "conv2d"
  // For people, in errors and tables: "Conv2d 96→256, groups=2".
  virtual std::string describe(Specs x) const = 0;

  // Output of these inputs. An absent optional input has a spec of rank 0 and no place in Needs.
  // Throws ShapeError, DTypeError, ValueError saying "input has 64 channels, expected 96"; whoever
  // knows the layer's name puts it in front.
  virtual Spec infer(Specs x) const = 0;

  // Whether forward in training changes this input, a parameter without gradient (running statistics).
  virtual bool updates(int /*input*/) const { return false; }

  // Bytes of what forward can use at inference instead of its parameters, such as packed weights; it is made
  // once for each state of the parameters, where the inputs that prepare reads (bit i: input i) are parameters.
  // `x` of prepare has data for parameters only. Elsewhere forward gets the scratch of Phase::forward.
  virtual std::size_t prepared_bytes(Specs) const { return 0; }
  virtual std::uint32_t prepared_from(Specs) const { return ~1u; }
  virtual void prepare(std::span<const ConstView> /*x*/, std::byte* /*prepared*/) const {}

  virtual bool differentiable(int input) const { return input >= 0; }
  virtual Needs backward_needs(Specs x) const = 0;
  virtual ScratchSize scratch(Specs, Phase) const { return {}; }
  // The input, a parameter, whose gradient backward can give in pieces after its last use of the input's value;
  // -1: none, or it is so small that it stays in the caches as a whole.
  virtual int gives_pieces(Specs) const { return -1; }

  // For inputs of these specs: y may take the memory of x[0]; dx[0] may take the memory of dy.
  virtual bool forward_in_place(Specs) const { return false; }
  virtual bool backward_in_place(Specs) const { return false; }

  // Multiply-adds of one forward pass, as papers count them; 0 where there are none to speak of.
  virtual std::int64_t macs(Specs) const { return 0; }
  // The algorithm chosen for these shapes, and why not those before it; empty where there is one way.
  virtual std::string algorithm(Specs) const { return {}; }

  // The same op with f applied to its output on the way out; null where it can't (there is one already).
  // Backward then takes f' from y, so in training only an f with gradient_from_output() may be fused.
  virtual std::shared_ptr<const Op> fused_with(const Activation&) const { return nullptr; }
  // The same op with one more input, the last, of the output's shape, which is added to the output; null where
  // it can't (there is one already, or an activation, or an optional input of `x` without a place).
  virtual std::shared_ptr<const Op> fused_with_add(Specs /*x*/) const { return nullptr; }
  // Whether the op is nothing but the sum of its inputs (so that a producer may take it in).
  virtual bool is_sum() const { return false; }
  // For inference: the same op with this done to each channel of its output; gamma, beta, mean and variance
  // are four more inputs, the last. Null where it can't, as above.
  virtual std::shared_ptr<const Op> fused_with(const ChannelNorm&, Specs /*x*/) const { return nullptr; }
  // What the op is at inference, when its inputs are x, gamma, beta, mean and variance and it is nothing else.
  virtual std::optional<ChannelNorm> as_channel_norm(Specs /*x*/) const { return std::nullopt; }
  // The function, when the op is nothing but an activation (so that a producer may take it in); else null.
  virtual const Activation* as_activation() const { return nullptr; }

  // Bytes of the moments (channel_moments.h) of y that forward in training can gather while it writes y; 0 where
  // it can't, or where a pass over y afterwards is as fast.
  virtual std::size_t moments_bytes(Specs) const { return 0; }
  // Whether forward in training reads the moments of x[0], and computes them itself where nobody gathered them.
  virtual bool takes_moments(Specs) const { return false; }

  // Whether making the output once more costs little beside keeping it in memory until backward.
  virtual bool is_cheap() const { return false; }

  virtual void forward(const ForwardArgs& args) const = 0;
  // The same y in the backward pass, from what forward saved. `state` is empty: nothing else changes.
  virtual void recompute(const ForwardArgs& args) const { forward(args); }
  virtual void backward(const BackwardArgs& args) const = 0;
};

using OpPtr = std::shared_ptr<const Op>;

}  // namespace fastcnn
