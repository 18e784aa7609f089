// y = f(x w^T + b): inputs x (n, features), w (out, features) and optionally b (out); y (n, out). The
// activation f is applied while the product is in cache. With `norm` the sum is normalised per column: gamma,
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
  // activation ("identity") with a and b.
  static OpPtr make(Attributes& attributes);

  std::string_view kind() const override { return "linear"; }
  std::string describe(Specs x) const override;
  Spec infer(Specs x) const override;
  Needs backward_needs(Specs x) const override;
  std::size_t prepared_bytes(Specs x) const override;
  std::uint32_t prepared_from(Specs) const override { return options_.norm ? 0b1111110 : 0b110; }
  void prepare(std::span<const ConstView> x, std::byte* prepared) const override;
  std::shared_ptr<const Op> fused_with(const Activation& f) const override;
  std::shared_ptr<const Op> fused_with(const ChannelNorm& norm, Specs x) const override;
  std::shared_ptr<const Op> fused_with_add(Specs x) const override;
  ScratchSize scratch(Specs x, Phase phase) const override;
  int gives_pieces(Specs x) const override;
  std::int64_t macs(Specs x) const override;
  void forward(const ForwardArgs& args) const override;
  void backward(const BackwardArgs& args) const override;

 private:
  // How many inputs there are with all optional ones: x, w, b and those of `norm` and `residual`.
  std::size_t places() const { return 3 + (options_.norm ? 4 : 0) + (options_.residual ? 1 : 0); }

  Options options_;
};

}  // namespace fastcnn
