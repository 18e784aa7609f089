// Batch normalisation (Ioffe and Szegedy 2015): y = f(gamma (x - mean) / sqrt(variance + eps) + beta +
// residual), per channel. Inputs x (n, c) or (n, c, h, w); gamma, beta, running_mean and running_var (c) or
// absent; residual, of the shape of x, for an op that takes one.
#pragma once

#include "cpu/activation.h"
#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class BatchNorm final : public Op {
 public:
  struct Options {
    double eps = 1e-5;
    double momentum = 0.1;
    // In training, mean and biased variance are those of the batch, and the running statistics move towards
    // them by `momentum` (the variance made unbiased), as PyTorch has it. Otherwise, and where this is off,
    // they are the running ones; where those are absent, always the batch's.
    bool batch_statistics = true;
    bool residual = false;  // whether there is a sixth input
    Activation activation{};
  };

  // Throws ValueError for a negative eps, a momentum outside of [0, 1] and an activation whose gradient can't
  // be had from y.
  explicit BatchNorm(const Options& options);
  // eps (1e-5), momentum (0.1), batch_statistics (true), residual (false), activation ("identity").
  static OpPtr make(Attributes& attributes);

  const Options& options() const { return options_; }

  std::string_view kind() const override { return "batch_norm"; }
  std::string describe(Specs x) const override;
  Spec infer(Specs x) const override;
  bool updates(int input) const override;
  bool differentiable(int input) const override;
  Needs backward_needs(Specs x) const override;
  ScratchSize scratch(Specs x, Phase phase) const override;
  bool forward_in_place(Specs) const override { return true; }
  bool backward_in_place(Specs) const override { return true; }
  std::shared_ptr<const Op> fused_with(const Activation& f) const override;
  std::shared_ptr<const Op> fused_with_add(Specs x) const override;
  std::optional<ChannelNorm> as_channel_norm(Specs x) const override;
  bool takes_moments(Specs x) const override;
  bool is_cheap() const override { return true; }
  // Throws ShapeError in training when there is only one value per channel.
  void forward(const ForwardArgs& args) const override;
  void recompute(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;

 private:
  // Whether backward takes f' from y; otherwise it makes y again from x, which costs less than reading it.
  bool gradient_reads_y() const;

  // y from the coefficients of z = (x - mean) scale + shift, as they lie in memory.
  void normalize(const ForwardArgs& args, const void* coefficients) const;

  Options options_;
};

}  // namespace fastcnn
