// Test ops of two outputs in float64, each of which may be unread, or without a gradient.
#pragma once

#include <cmath>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "graph_testing.h"

namespace fastcnn::testing {

inline double at(const View& view, std::int64_t i) { return view ? view.as<double>()[i] : 0.0; }

inline void spoil(std::span<const View> views) {
  for (const View& view : views)
    if (view) spoil(view.data, view.spec.bytes());
}

// The left and the right half of the columns of x; needs nothing, and overwrites its dy with NaNs.
class SplitOp final : public TestOp {
 public:
  std::string_view kind() const override { return "halves"; }
  std::string describe(Specs) const override { return "Split"; }
  std::vector<Spec> infer(Specs x) const override {
    const Spec half{{x[0].shape[0], x[0].shape[1] / 2}, x[0].dtype};
    return {half, half};
  }
  Needs backward_needs(Specs) const override { return {}; }
  void forward(const StepArgs& args) const override {
    for_each(args.y[0].spec, [&](std::size_t part, std::int64_t i, std::int64_t j) {
      args.y[part].as<double>()[i] = args.x[0].as<double>()[j];
    });
  }
  void backward(const StepArgs& args) const override {
    for_each(args.dy[0].spec, [&](std::size_t part, std::int64_t i, std::int64_t j) {
      if (args.dx[0]) args.dx[0].as<double>()[j] = at(args.dy[part], i);
    });
    spoil(args.dy);
  }

 private:
  template <class F>
  static void for_each(const Spec& half, F f) {
    const std::int64_t columns = half.shape[1];
    for (std::int64_t i = 0; i < half.shape.numel(); ++i)
      for (const std::size_t part : {0u, 1u})
        f(part, i, i / columns * 2 * columns + static_cast<std::int64_t>(part) * columns + i % columns);
  }
};

// y = x0 beside x1.
class JoinOp final : public TestOp {
 public:
  std::string_view kind() const override { return "join"; }
  std::string describe(Specs) const override { return "Join"; }
  std::vector<Spec> infer(Specs x) const override { return {{{x[0].shape[0], 2 * x[0].shape[1]}, x[0].dtype}}; }
  Needs backward_needs(Specs) const override { return {}; }
  void forward(const StepArgs& args) const override {
    const std::int64_t columns = args.x[0].spec.shape[1];
    for (std::int64_t i = 0; i < args.y[0].spec.shape.numel(); ++i)
      args.y[0].as<double>()[i] = args.x[part(i, columns)].as<double>()[from(i, columns)];
  }
  void backward(const StepArgs& args) const override {
    const std::int64_t columns = args.dx[0].spec.shape[1];
    for (std::int64_t i = 0; i < args.dy[0].spec.shape.numel(); ++i) {
      const View& dx = args.dx[part(i, columns)];
      if (dx) dx.as<double>()[from(i, columns)] = args.dy[0].as<double>()[i];
    }
  }

 private:
  static std::size_t part(std::int64_t i, std::int64_t columns) { return i / columns % 2 == 0 ? 0 : 1; }
  static std::int64_t from(std::int64_t i, std::int64_t columns) { return i / (2 * columns) * columns + i % columns; }
};

// sin(x) and cos(x), the first in place of x both ways; needs both outputs.
class SineCosineOp final : public TestOp {
 public:
  std::string_view kind() const override { return "sine and cosine"; }
  std::string describe(Specs) const override { return "SineCosine"; }
  std::vector<Spec> infer(Specs x) const override { return {x[0], x[0]}; }
  Needs backward_needs(Specs) const override { return {.y = 0b11}; }
  bool in_place() const override { return true; }
  void forward(const StepArgs& args) const override {
    for (std::int64_t i = 0; i < numel(args.y); ++i) {
      const double x = args.x[0].as<double>()[i];
      args.y[0].as<double>()[i] = std::sin(x);
      args.y[1].as<double>()[i] = std::cos(x);
    }
  }
  void backward(const StepArgs& args) const override {
    for (std::int64_t i = 0; i < numel(args.dy) && args.dx[0]; ++i)
      args.dx[0].as<double>()[i] = at(args.dy[0], i) * at(args.y[1], i) - at(args.dy[1], i) * at(args.y[0], i);
    spoil(args.dy.subspan(1));
  }

 private:
  static std::int64_t numel(std::span<const View> views) { return views[0].spec.shape.numel(); }
};

// x^2 / 4 and exp(-x^2), which cost little; needs its input, and of its outputs the second alone.
class SquareBellOp final : public TestOp {
 public:
  std::string_view kind() const override { return "square and bell"; }
  std::string describe(Specs) const override { return "SquareBell"; }
  std::vector<Spec> infer(Specs x) const override { return {x[0], x[0]}; }
  Needs backward_needs(Specs) const override { return {.x = 1, .y = 0b10}; }
  bool is_cheap() const override { return true; }
  void forward(const StepArgs& args) const override {
    for (std::int64_t i = 0; i < args.y[0].spec.shape.numel(); ++i) {
      const double x = args.x[0].as<double>()[i];
      args.y[0].as<double>()[i] = x * x / 4;
      args.y[1].as<double>()[i] = std::exp(-x * x);
    }
  }
  void backward(const StepArgs& args) const override {
    EXPECT_FALSE(args.y[0]);
    for (std::int64_t i = 0; i < args.dy[0].spec.shape.numel() && args.dx[0]; ++i) {
      const double x = args.x[0].as<double>()[i];
      args.dx[0].as<double>()[i] = at(args.dy[0], i) * x / 2 - at(args.dy[1], i) * 2 * x * at(args.y[1], i);
    }
    spoil(args.dy);
  }
};

inline const std::vector<OpPtr>& ops_of_two_outputs() {
  static const std::vector<OpPtr> ops = {std::make_shared<SplitOp>(), std::make_shared<SineCosineOp>(),
                                         std::make_shared<SquareBellOp>()};
  return ops;
}

}  // namespace fastcnn::testing
