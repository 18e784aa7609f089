// Ops and helpers for tests of graph/: small ops in float64 whose kernels use every liberty that the contract of
// graph/kernel.h gives them, so that a plan which promises too little memory shows in the results.
#pragma once

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/cpu/backend.h"
#include "graph/executor.h"
#include "op_testing.h"
#include "ops/registry.h"
#include "reference_backend.h"
#include "wrapped_backend.h"

namespace fastcnn::testing {

// Sets the number of threads back in the end.
struct ThreadsRestored {
  const int before = thread_count();
  ~ThreadsRestored() { set_num_threads(before); }
};

inline std::int64_t numel(Specs x) { return x[0].shape.numel(); }

inline void spoil(void* data, std::size_t bytes) { std::memset(data, 0xff, bytes); }  // NaNs

// An op that brings its kernels with it.
class TestOp : public Op {
 public:
  Attributes attributes() const override { return {}; }
  virtual Memory memory(Specs, Pass) const { return {}; }
  virtual bool in_place() const { return false; }
  virtual void prepare(std::span<const ConstView>, std::byte*) const {}
  virtual void forward(const StepArgs& args) const = 0;
  virtual void backward(const StepArgs& args) const = 0;
};

// Another backend, and the kernels that test ops bring with them.
class TestBackend final : public WrappedBackend {
 public:
  using WrappedBackend::WrappedBackend;
  std::unique_ptr<Kernel> make(const OpPtr& op, Pass pass, Specs x) const override {
    if (auto own = std::dynamic_pointer_cast<const TestOp>(op)) return std::make_unique<OwnKernel>(own, pass, x);
    return WrappedBackend::make(op, pass, x);
  }

 private:
  class OwnKernel final : public Kernel {
   public:
    OwnKernel(std::shared_ptr<const TestOp> op, Pass pass, Specs x)
        : op_(std::move(op)), pass_(pass), memory_(op_->memory(x, pass)) {}
    Memory memory() const override { return memory_; }
    bool in_place() const override { return op_->in_place(); }
    void prepare(std::span<const ConstView> x, std::byte* prepared, Stream&) const override {
      op_->prepare(x, prepared);
    }
    std::string prepared_form() const override { return std::string(op_->kind()); }
    void run(const StepArgs& args, Stream&) const override {
      pass_ == Pass::backward ? op_->backward(args) : op_->forward(args);
    }

   private:
    std::shared_ptr<const TestOp> op_;
    Pass pass_;
    Memory memory_;
  };
};

// The backend that tests of the graph run on: the CPU's or, with FASTCNN_TEST_BACKEND=reference, that of
// reference_backend.h.
inline bool is_reference_backend() {
  const char* const wanted = std::getenv("FASTCNN_TEST_BACKEND");
  return wanted != nullptr && std::string_view(wanted) == "reference";
}
inline BackendPtr backend() {
  return std::make_shared<const TestBackend>(is_reference_backend() ? reference_backend() : cpu_backend());
}

// y = x0 + x1, in place both ways; needs nothing.
class SumOp final : public TestOp {
 public:
  std::string_view kind() const override { return "sum"; }
  std::string describe(Specs) const override { return "Sum"; }
  std::vector<Spec> infer(Specs x) const override {
    if (x[0].shape != x[1].shape) throw ShapeError("inputs have unequal shapes");
    return {x[0]};
  }
  Needs backward_needs(Specs) const override { return {}; }
  bool in_place() const override { return true; }
  void forward(const StepArgs& args) const override {
    for (std::int64_t i = 0; i < args.y[0].spec.shape.numel(); ++i) {
      args.y[0].as<double>()[i] = args.x[0].as<double>()[i] + args.x[1].as<double>()[i];
    }
  }
  void backward(const StepArgs& args) const override {
    for (const std::size_t i : {std::size_t{1}, std::size_t{0}}) {
      if (args.dx[i]) std::memmove(args.dx[i].data, args.dy[0].data, args.dy[0].spec.bytes());
    }
  }
};

// y = x0 * x1; needs both inputs, and overwrites its dy with NaNs when it is done.
class ProductOp final : public TestOp {
 public:
  std::string_view kind() const override { return "product"; }
  std::string describe(Specs) const override { return "Product"; }
  std::vector<Spec> infer(Specs x) const override { return {x[0]}; }
  Needs backward_needs(Specs) const override { return {.x = 3}; }
  void forward(const StepArgs& args) const override {
    for (std::int64_t i = 0; i < args.y[0].spec.shape.numel(); ++i) {
      args.y[0].as<double>()[i] = args.x[0].as<double>()[i] * args.x[1].as<double>()[i];
    }
  }
  void backward(const StepArgs& args) const override {
    for (std::size_t i = 0; i < 2; ++i) {
      if (!args.dx[i]) continue;
      for (std::int64_t j = 0; j < args.dy[0].spec.shape.numel(); ++j) {
        args.dx[i].as<double>()[j] = args.dy[0].as<double>()[j] * args.x[1 - i].as<double>()[j];
      }
    }
    spoil(args.dy[0].data, args.dy[0].spec.bytes());
  }
};

// y = sin(x): keeps cos(x) in `saved`, spoils its scratch.
class SineOp final : public TestOp {
 public:
  std::string_view kind() const override { return "sine"; }
  std::string describe(Specs) const override { return "Sine"; }
  std::vector<Spec> infer(Specs x) const override { return {x[0]}; }
  Needs backward_needs(Specs x) const override { return {.saved_bytes = x[0].bytes()}; }
  Memory memory(Specs x, Pass) const override { return {.scratch = {.shared = x[0].bytes(), .per_thread = 40}}; }
  void forward(const StepArgs& args) const override {
    spoil(args.scratch.shared<char>(), args.y[0].spec.bytes());
    parallel_for(8, 1 << 20, [&](std::int64_t, int worker) { spoil(args.scratch.of_worker<char>(worker), 40); });
    for (std::int64_t i = 0; i < args.y[0].spec.shape.numel(); ++i) {
      const double x = args.x[0].as<double>()[i];
      args.y[0].as<double>()[i] = std::sin(x);
      if (args.saved) static_cast<double*>(args.saved)[i] = std::cos(x);
    }
  }
  void backward(const StepArgs& args) const override {
    spoil(args.scratch.shared<char>(), args.dy[0].spec.bytes());
    if (!args.dx[0]) return;
    for (std::int64_t i = 0; i < args.dy[0].spec.shape.numel(); ++i) {
      args.dx[0].as<double>()[i] = args.dy[0].as<double>()[i] * static_cast<const double*>(args.saved)[i];
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
      : executor_(std::make_shared<const Plan>(graph, mode, backend())), inputs_(std::move(inputs)) {}

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
