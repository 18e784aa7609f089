// What an op is: immutable, made of its attributes alone. It knows shapes, what its gradient needs and what may be
// fused with it; how it is computed is for the kernels of a backend (graph/kernel.h). One op = <op>.h and <op>.cpp;
// registry.cpp lists them all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/tensor.h"
#include "ops/activation_function.h"
#include "ops/attributes.h"

namespace fastcnn {

using Specs = std::span<const Spec>;

// What backward reads of the forward pass, beyond the gradients of the outputs. The plan keeps these alive and
// nothing else.
struct Needs {
  std::uint32_t x = 0;          // bit i: input i
  std::uint32_t y = 0;          // bit i: output i
  std::size_t saved_bytes = 0;  // what forward writes to `saved` for backward

  // None of an input or output beyond the bits.
  bool reads_x(std::size_t i) const { return i < 32 && (x >> i & 1u); }
  bool reads_y(std::size_t i) const { return i < 32 && (y >> i & 1u); }
};

// y = gamma (x - mean) / sqrt(variance + eps) + beta.
struct ChannelNorm {
  double eps;
};

// The sum of an output and one more input of its shape.
struct ResidualAdd {};

// What the op before it may do to its output on the way out.
using Epilogue = std::variant<Activation, ResidualAdd, ChannelNorm>;

class Op;
using OpPtr = std::shared_ptr<const Op>;

class Op {
 public:
  virtual ~Op() = default;

  virtual std::string_view kind() const = 0;  // the registry's name: "conv2d"
  // All of them, so that make_op(kind(), attributes()) is an equal op.
  virtual Attributes attributes() const = 0;
  // For people, in errors and tables: "Conv2d 96→256, groups=2".
  virtual std::string describe(Specs x) const = 0;

  // Outputs of these inputs. An absent optional input has a spec of rank 0 and no place in Needs.
  // Throws ShapeError, DTypeError, ValueError saying "input has 64 channels, expected 96"; whoever
  // knows the layer's name puts it in front.
  virtual std::vector<Spec> infer(Specs x) const = 0;

  // Whether forward in training changes this input, a parameter without gradient (running statistics).
  virtual bool updates(int /*input*/) const { return false; }
  virtual bool differentiable(int input) const { return input >= 0; }
  virtual Needs backward_needs(Specs x) const = 0;

  // Multiply-adds of one forward pass, as papers count them; 0 where there are none to speak of.
  virtual std::int64_t macs(Specs) const { return 0; }
  // Whether computing the outputs once more costs little beside keeping them in memory until backward.
  virtual bool is_cheap() const { return false; }

  // The same op with this done to its (only) output; null where it can't. What the epilogue reads are more inputs,
  // the last ones: the residual, of the output's shape; gamma, beta, mean and variance of a norm, which is for
  // inference alone. With an activation, backward takes f' from y, so in training only an f with
  // gradient_from_output() may be fused.
  virtual OpPtr fused_with(const Epilogue&, Specs /*x*/) const { return nullptr; }
  // What the op is, when it is nothing but an epilogue of the one that makes x[0] (of either input, for a sum): so
  // that the other may take it in. A norm is one at inference, with inputs x, gamma, beta, mean and variance.
  virtual std::optional<Epilogue> as_epilogue(Specs /*x*/) const { return std::nullopt; }
};

}  // namespace fastcnn
