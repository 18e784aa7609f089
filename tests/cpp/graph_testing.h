// Ops and helpers for tests of graph/: small ops in float64 that use every liberty the contract of
// ops/op.h gives them, so that a plan which promises too little memory shows in the results.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "graph/executor.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {

// Sets the number of threads back in the end.
struct ThreadsRestored {
  const int before = thread_count();
  ~ThreadsRestored() { set_num_threads(before); }
};

inline std::int64_t numel(Specs x) { return x[0].shape.numel(); }

inline void spoil(void* data, std::size_t bytes) { std::memset(data, 0xff, bytes); }  // NaNs

// y = x0 + x1, in place both ways; needs nothing.
class SumOp final : public Op {
 public:
  std::string_view kind() const override { return "sum"; }
  std::string describe(Specs) const override { return "Sum"; }
  Spec infer(Specs x) const override {
    if (x[0].shape != x[1].shape) throw ShapeError("inputs have unequal shapes");
    return x[0];
  }
  Needs backward_needs(Specs) const override { return {}; }
  bool forward_in_place(Specs) const override { return true; }
  bool backward_in_place(Specs) const override { return true; }
  void forward(const ForwardArgs& args) const override {
    for (std::int64_t i = 0; i < args.y.spec.shape.numel(); ++i) {
      args.y.as<double>()[i] = args.x[0].as<double>()[i] + args.x[1].as<double>()[i];
    }
  }
  void backward(const BackwardArgs& args) const override {
    for (const std::size_t i : {std::size_t{1}, std::size_t{0}}) {
      if (args.dx[i]) std::memmove(args.dx[i].data, args.dy.data, args.dy.spec.bytes());
    }
  }
};

// y = x0 * x1; needs both inputs, and overwrites its dy with NaNs when it is done.
class ProductOp final : public Op {
 public:
  std::string_view kind() const override { return "product"; }
  std::string describe(Specs) const override { return "Product"; }
  Spec infer(Specs x) const override { return x[0]; }
  Needs backward_needs(Specs) const override { return {.x = 3}; }
  void forward(const ForwardArgs& args) const override {
    for (std::int64_t i = 0; i < args.y.spec.shape.numel(); ++i) {
      args.y.as<double>()[i] = args.x[0].as<double>()[i] * args.x[1].as<double>()[i];
    }
  }
  void backward(const BackwardArgs& args) const override {
    for (std::size_t i = 0; i < 2; ++i) {
      if (!args.dx[i]) continue;
      for (std::int64_t j = 0; j < args.dy.spec.shape.numel(); ++j) {
        args.dx[i].as<double>()[j] = args.dy.as<double>()[j] * args.x[1 - i].as<double>()[j];
      }
    }
    spoil(args.dy.data, args.dy.spec.bytes());
  }
};

// y = sin(x): keeps cos(x) in `saved`, spoils its scratch.
class SineOp final : public Op {
 public:
  std::string_view kind() const override { return "sine"; }
  std::string describe(Specs) const override { return "Sine"; }
  Spec infer(Specs x) const override { return x[0]; }
  Needs backward_needs(Specs x) const override { return {.saved_bytes = x[0].bytes()}; }
  ScratchSize scratch(Specs x, Phase) const override { return {.shared = x[0].bytes(), .per_thread = 40}; }
  void forward(const ForwardArgs& args) const override {
    spoil(args.scratch.shared<char>(), args.y.spec.bytes());
    parallel_for(8, 1 << 20, [&](std::int64_t, int worker) { spoil(args.scratch.of_worker<char>(worker), 40); });
    for (std::int64_t i = 0; i < args.y.spec.shape.numel(); ++i) {
      const double x = args.x[0].as<double>()[i];
      args.y.as<double>()[i] = std::sin(x);
      if (args.saved) static_cast<double*>(args.saved)[i] = std::cos(x);
    }
  }
  void backward(const BackwardArgs& args) const override {
    spoil(args.scratch.shared<char>(), args.dy.spec.bytes());
    if (!args.dx[0]) return;
    for (std::int64_t i = 0; i < args.dy.spec.shape.numel(); ++i) {
      args.dx[0].as<double>()[i] = args.dy.as<double>()[i] * static_cast<const double*>(args.saved)[i];
    }
  }
};

inline OpPtr activation_op(const char* function) { return make_op("activation", {{"function", std::string(function)}}); }

inline ParameterPtr random_parameter(const Spec& spec, unsigned seed, double scale = 1.0) {
  auto parameter = std::make_shared<Parameter>(spec);
  const Tensor values = random_tensor(spec, seed, -scale, scale);
  std::memcpy(parameter->value.data(), values.data(), spec.bytes());
  return parameter;
}

inline void fill(View view, const Tensor& values) { std::memcpy(view.data, values.data(), view.spec.bytes()); }

inline Tensor copy_of(ConstView view) {
  Tensor tensor(view.spec);
  std::memcpy(tensor.data(), view.data, view.spec.bytes());
  return tensor;
}

// A training plan of a graph, run with given inputs and output gradients.
class GraphRunner {
 public:
  GraphRunner(const Graph& graph, Mode mode, std::vector<Tensor> inputs)
      : executor_(std::make_shared<const Plan>(graph, mode)), inputs_(std::move(inputs)) {}

  Executor& executor() { return executor_; }
  const Graph& graph() const { return executor_.plan().graph(); }
  std::vector<Tensor>& inputs() { return inputs_; }

  void forward() {
    for (std::size_t i = 0; i < inputs_.size(); ++i) fill(executor_.input(static_cast<int>(i)), inputs_[i]);
    executor_.forward({.seed = 1, .step = 2});
  }
  // Seeds with random numbers, the same each time.
  void backward() {
    for_each_seed([&](int i, const Tensor& r) { fill(executor_.output_grad(i), r); });
    executor_.backward();
  }
  // Sum of seeded outputs * seeds: what backward differentiates.
  double objective() {
    forward();
    double sum = 0;
    for_each_seed([&](int i, const Tensor& r) {
      const Tensor y = copy_of(executor_.output(i));
      for (std::int64_t j = 0; j < r.spec().shape.numel(); ++j) sum += element(y, j) * element(r, j);
    });
    return sum;
  }

  // Gradients of all parameters and of the inputs that ask, against central differences.
  void expect_gradients_match_finite_differences(double tolerance = 1e-6) {
    for (const GraphParameter& p : graph().parameters()) p.parameter->has_grad = false;
    forward();
    backward();
    std::vector<std::pair<double*, Tensor>> checks;
    for (const GraphParameter& p : graph().parameters()) {
      if (!p.parameter->requires_grad) continue;
      ASSERT_TRUE(p.parameter->has_grad) << p.name;
      checks.emplace_back(static_cast<double*>(p.parameter->value.data()), copy_of(p.parameter->grad.view()));
    }
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      if (!graph().inputs()[i].requires_grad) continue;
      checks.emplace_back(static_cast<double*>(inputs_[i].data()),
                          copy_of(executor_.input_grad(static_cast<int>(i))));
    }
    constexpr double h = 1e-5;
    for (std::size_t c = 0; c < checks.size(); ++c) {
      const auto& [values, gradient] = checks[c];
      for (std::int64_t i = 0; i < gradient.spec().shape.numel(); ++i) {
        const double kept = values[i];
        values[i] = kept + h;
        const double above = objective();
        values[i] = kept - h;
        const double below = objective();
        values[i] = kept;
        const double expected = (above - below) / (2 * h);
        ASSERT_NEAR(element(gradient, i), expected, tolerance * (1 + std::abs(expected)))
            << "gradient " << c << ", element " << i << "\n" << executor_.plan().explain();
      }
    }
  }

 private:
  template <class F>
  void for_each_seed(F&& f) {
    for (std::size_t i = 0; i < graph().outputs().size(); ++i) {
      const GraphOutput& output = graph().outputs()[i];
      if (output.seeded) f(static_cast<int>(i), random_tensor(graph().spec(output.value), 99 + static_cast<unsigned>(i)));
    }
  }

  Executor executor_;
  std::vector<Tensor> inputs_;
};

}  // namespace fastcnn::testing
