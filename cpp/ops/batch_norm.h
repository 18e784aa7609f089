// Batch normalisation (Ioffe and Szegedy 2015): y = f(gamma (x - mean) / sqrt(variance + eps) + beta +
// residual), per channel. Inputs x (n, c) or (n, c, h, w); gamma, beta, running_mean and running_var (c) or
// absent; residual, of the shape of x, for an op that takes one.
#pragma once

#include "ops/activation_function.h"
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
  static OpPtr make(AttributeReader& attributes);

  const Options& options() const { return options_; }
  // Whether backward takes f' from y; otherwise it makes y again from x, which costs less than reading it.
  bool gradient_reads_y() const;

  std::string_view kind() const override { return "batch_norm"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  bool updates(int input) const override;
  bool differentiable(int input) const override;
  Needs backward_needs(Specs x) const override;
  OpPtr fused_with(const Epilogue& epilogue, Specs x) const override;
  bool is_cheap() const override { return true; }
  std::optional<Epilogue> as_epilogue(Specs x) const override;

 private:
  Options options_;
};

}  // namespace fastcnn
