// y = f(x w^T + b): inputs x (n, features), w (out, features) and optionally b (out); y (n, out). With `norm` the sum is normalised per column: gamma,
// beta (optional), mean and variance (out) follow. With `residual` the last input, of y's shape, is added
// before f.
#pragma once

#include <optional>

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

class Linear final : public Op {
 public:
  struct Options {
    Activation activation{};
    std::optional<ChannelNorm> norm{};  // for inference alone
    bool residual = false;
  };

  // Throws ValueError for an activation whose gradient can't be computed from y.
  explicit Linear(const Options& options);
  // activation ("identity") with a and b; of what is fused: norm_eps and residual (false).
  static OpPtr make(AttributeReader& attributes);

  const Options& options() const { return options_; }
  // How many inputs there are with all optional ones: x, w, b and those of `norm` and `residual`.
  std::size_t places() const { return 3 + (options_.norm ? 4 : 0) + (options_.residual ? 1 : 0); }

  std::string_view kind() const override { return "linear"; }
  Attributes attributes() const override;
  std::string describe(Specs x) const override;
  std::vector<Spec> infer(Specs x) const override;
  Needs backward_needs(Specs x) const override;
  std::int64_t macs(Specs x) const override;
  OpPtr fused_with(const Epilogue& epilogue, Specs x) const override;

 private:
  Options options_;
};

}  // namespace fastcnn
