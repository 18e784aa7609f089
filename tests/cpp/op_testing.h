// Runs one op as the executor would, and checks what every op promises: gradients equal to finite
// differences, the same bytes at any number of threads, memory written in full and nowhere else.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backend/cpu/backend.h"
#include "core/thread_pool.h"
#include "ops/op.h"

namespace fastcnn::testing {

// Uniform in [low, high); the same for the same seed.
inline Tensor random_tensor(const Spec& spec, unsigned seed, double low = -1.0, double high = 1.0) {
  Tensor tensor(spec);
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  const std::int64_t n = spec.shape.numel();
  dispatch_floating(spec.dtype, [&]<class T>() {
    std::generate_n(static_cast<T*>(tensor.data()), n, [&] { return static_cast<T>(uniform(generator)); });
  });
  return tensor;
}

inline double element(const Tensor& tensor, std::int64_t i) {
  return dispatch_floating(tensor.spec().dtype,
                           [&]<class T>() { return static_cast<double>(static_cast<T*>(tensor.data())[i]); });
}

// Every element within tolerance * (1 + the largest magnitude of `expected`).
inline void expect_near(const Tensor& actual, const Tensor& expected, double tolerance,
                        const std::string& what) {
  ASSERT_EQ(actual.spec().shape, expected.spec().shape) << what;
  double largest = 0;
  for (std::int64_t i = 0; i < expected.spec().shape.numel(); ++i) {
    largest = std::max(largest, std::abs(element(expected, i)));
  }
  for (std::int64_t i = 0; i < expected.spec().shape.numel(); ++i) {
    ASSERT_NEAR(element(actual, i), element(expected, i), tolerance * (1 + largest))
        << what << ", element " << i;
  }
}

inline void expect_same_bytes(const Tensor& actual, const Tensor& expected, const std::string& what) {
  ASSERT_EQ(actual.spec(), expected.spec()) << what;
  EXPECT_EQ(std::memcmp(actual.data(), expected.data(), expected.spec().bytes()), 0) << what;
}

// f() throws an Error whose message contains `part`.
template <class Error, class F>
void expect_throws(F f, const std::string& part) {
  try {
    f();
    ADD_FAILURE() << "nothing thrown, expected: " << part;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
        << error.what() << "\nexpected: " << part;
  }
}

// Memory full of NaNs with a fence behind, so that what is read before it is written shows in the
// results and what is written past the end is found.
class FencedMemory {
 public:
  explicit FencedMemory(std::size_t bytes) : bytes_(bytes), data_(allocate(bytes + fence)) {
    std::memset(data_.get(), 0xff, bytes + fence);
  }
  std::byte* data() const { return data_.get(); }
  void expect_intact(const char* what) const {
    const auto* p = data_.get() + bytes_;
    EXPECT_TRUE(std::all_of(p, p + fence, [](std::byte b) { return b == std::byte{0xff}; }))
        << what << " overrun";
  }

 private:
  static constexpr std::size_t fence = 256;
  std::size_t bytes_;
  Buffer data_;
};

// An op and its inputs, run by the kernels of a backend; an absent optional input is a Tensor(). Where it has several
// outputs, y is the first.
class OpRunner {
 public:
  OpRunner(OpPtr op, std::vector<Tensor> x, RunContext run = {.training = true, .random = {}},
           BackendPtr backend = cpu_backend())
      : op_(std::move(op)), x_(std::move(x)), run_(run), backend_(std::move(backend)) {
    for (const Tensor& tensor : x_) specs_.push_back(tensor.spec());
    y_specs_ = op_->infer(specs_);
    needs_ = op_->backward_needs(specs_);
    forward_ = backend_->make(op_, Pass::forward, specs_);
    saved_ = std::make_unique<FencedMemory>(needs_.saved_bytes);
  }

  const Op& op() const { return *op_; }
  const Kernel& forward_kernel() const { return *forward_; }
  const std::vector<Tensor>& x() const { return x_; }
  Specs specs() const { return specs_; }
  const Spec& y_spec() const { return y_specs_[0]; }
  const std::vector<Tensor>& outputs() const { return y_; }  // of forward

  // `statistics_of_y`, when given, has room for Memory::statistics.
  const Tensor& forward(const std::byte* statistics_of_x = nullptr, std::byte* statistics_of_y = nullptr) {
    y_ = outputs_of(*forward_, {.x = {},
                                .y = {},
                                .saved = saved(),
                                .run = &run_,
                                .statistics_of_x = statistics_of_x,
                                .statistics_of_y = statistics_of_y});
    return y_[0];
  }
  // After forward: y once more, from what that saved.
  Tensor recompute() {
    const std::unique_ptr<Kernel> kernel = backend_->make(op_, Pass::recompute, specs_);
    return outputs_of(*kernel, {.x = {}, .y = {}, .saved = saved(), .run = &run_})[0];
  }
  // y at inference, where nothing is saved or prepared.
  Tensor inference() {
    const RunContext run{.training = false, .random = run_.random};
    return outputs_of(*backend_->make(op_, Pass::inference, specs_), {.x = {}, .y = {}, .run = &run})[0];
  }

  // After forward. Gradients of the inputs that are there, floating-point, differentiable and `wanted` (all,
  // when empty); a Tensor() for the others.
  std::vector<Tensor> backward(const Tensor& dy, const std::vector<bool>& wanted = {}) {
    std::vector<Tensor> every(y_specs_.size());
    every[0] = dy;
    return backward(every, wanted);
  }
  // Of a gradient for each output; a Tensor() where none arrives.
  std::vector<Tensor> backward(const std::vector<Tensor>& gradients, const std::vector<bool>& wanted = {}) {
    std::vector<FencedMemory> dy_memory, dx_memory;
    std::vector<View> y, dy = views(y_specs_, dy_memory);
    for (std::size_t i = 0; i < y_specs_.size(); ++i) {
      y.push_back({(needs_.y >> i & 1u) ? y_[i].data() : nullptr, y_specs_[i]});
      if (gradients[i])
        std::memcpy(dy[i].data, gradients[i].data(), y_specs_[i].bytes());
      else
        dy[i].data = nullptr;
    }
    const std::unique_ptr<Kernel> kernel = backend_->make(op_, Pass::backward, specs_);
    const Working working(kernel->memory().scratch);
    std::vector<ConstView> x;
    std::vector<View> dx = views(specs_, dx_memory);
    for (std::size_t i = 0; i < x_.size(); ++i) {
      const bool kept = x_[i] && (needs_.x >> i & 1u);
      x.push_back({kept ? x_[i].data() : nullptr, specs_[i]});
      const bool has_gradient = is_floating(specs_[i].dtype) && op_->differentiable(static_cast<int>(i));
      const bool want = x_[i] && has_gradient && (wanted.empty() || wanted[i]);
      if (!want) dx[i].data = nullptr;
    }
    kernel->run({.x = x,
                 .y = y,
                 .saved = saved(),
                 .dy = dy,
                 .dx = dx,
                 .scratch = working.scratch(),
                 .run = &run_},
                stream_);
    working.expect_intact();
    for (const FencedMemory& memory : dy_memory) memory.expect_intact("dy");
    std::vector<Tensor> results;
    for (std::size_t i = 0; i < x_.size(); ++i) {
      dx_memory[i].expect_intact("dx");
      results.push_back(dx[i] ? copy(dx_memory[i], specs_[i]) : Tensor());
    }
    return results;
  }

 private:
  struct Working {
    explicit Working(ScratchSize size)
        : stride(align_up(size.per_thread)),
          shared(size.shared),
          per_thread(stride * static_cast<std::size_t>(num_threads().threads)) {}
    Scratch scratch() const { return {shared.data(), per_thread.data(), stride}; }
    void expect_intact() const {
      shared.expect_intact("shared scratch");
      per_thread.expect_intact("per-thread scratch");
    }
    std::size_t stride;
    FencedMemory shared;
    FencedMemory per_thread;
  };

  // `args` without x, y and scratch.
  std::vector<Tensor> outputs_of(const Kernel& kernel, StepArgs args) {
    std::vector<FencedMemory> memory;
    const std::vector<View> y = views(y_specs_, memory);
    const Working working(kernel.memory().scratch);
    std::vector<ConstView> x;
    for (const Tensor& tensor : x_) x.push_back(tensor ? ConstView(tensor.view()) : ConstView{});
    args.x = x;
    args.y = y;
    args.scratch = working.scratch();
    kernel.run(args, stream_);
    working.expect_intact();
    for (const FencedMemory& output : memory) output.expect_intact("y");
    saved_->expect_intact("saved");
    std::vector<Tensor> results;
    for (std::size_t i = 0; i < y.size(); ++i) results.push_back(copy(memory[i], y_specs_[i]));
    return results;
  }

  static std::vector<View> views(const std::vector<Spec>& specs, std::vector<FencedMemory>& memory) {
    std::vector<View> result;
    for (const Spec& spec : specs) {
      memory.emplace_back(spec.bytes());
      result.push_back({memory.back().data(), spec});
    }
    return result;
  }
  static Tensor copy(const FencedMemory& memory, const Spec& spec) {
    Tensor tensor(spec);
    std::memcpy(tensor.data(), memory.data(), spec.bytes());
    return tensor;
  }
  void* saved() const { return needs_.saved_bytes > 0 ? saved_->data() : nullptr; }

  OpPtr op_;
  std::vector<Tensor> x_;
  RunContext run_;
  BackendPtr backend_;
  Stream stream_;
  std::vector<Spec> specs_, y_specs_;
  Needs needs_;
  std::unique_ptr<Kernel> forward_;
  std::unique_ptr<FencedMemory> saved_;
  std::vector<Tensor> y_;
};

// Compares backward with central differences of sum(y * r), r random, in every floating-point input
// (float64). At most `samples` elements of each input are moved.
inline void expect_gradients_match_finite_differences(OpPtr op, const std::vector<Tensor>& x,
                                                      RunContext run = {.training = true, .random = {}},
                                                      double tolerance = 1e-6, std::int64_t samples = 200) {
  OpRunner runner(op, x, run);
  runner.forward();
  const Tensor r = random_tensor(runner.y_spec(), 99);
  const std::vector<Tensor> dx = runner.backward(r);
  const auto objective = [&] {
    const Tensor& y = runner.forward();
    double sum = 0;
    for (std::int64_t i = 0; i < y.spec().shape.numel(); ++i) sum += element(y, i) * element(r, i);
    return sum;
  };
  constexpr double h = 1e-5;
  for (std::size_t input = 0; input < x.size(); ++input) {
    if (!dx[input]) continue;
    auto* values = static_cast<double*>(x[input].data());
    const std::int64_t n = x[input].spec().shape.numel();
    const std::int64_t step = std::max<std::int64_t>(1, n / samples);
    for (std::int64_t i = 0; i < n; i += step) {
      const double kept = values[i];
      values[i] = kept + h;
      const double above = objective();
      values[i] = kept - h;
      const double below = objective();
      values[i] = kept;
      const double expected = (above - below) / (2 * h);
      ASSERT_NEAR(element(dx[input], i), expected, tolerance * (1 + std::abs(expected)))
          << op->kind() << ": gradient of input " << input << ", element " << i;
    }
  }
}

// Output and gradients have the same bytes at 1, 2, 3 and 8 threads.
inline void expect_same_bytes_at_any_thread_count(OpPtr op, const std::vector<Tensor>& x,
                                                  RunContext run = {.training = true, .random = {}}) {
  const int before = num_threads().threads;
  Tensor y;
  std::vector<Tensor> dx;
  for (const int threads : {1, 2, 3, 8}) {
    set_num_threads(threads);
    OpRunner runner(op, x, run);
    const Tensor y_now = runner.forward();
    const std::vector<Tensor> dx_now = runner.backward(random_tensor(runner.y_spec(), 99));
    const std::string at = " at " + std::to_string(threads) + " threads";
    if (threads == 1) {
      y = y_now;
      dx = dx_now;
    }
    expect_same_bytes(y_now, y, "y" + at);
    for (std::size_t i = 0; i < dx.size(); ++i) {
      if (dx[i]) expect_same_bytes(dx_now[i], dx[i], "dx[" + std::to_string(i) + "]" + at);
    }
  }
  set_num_threads(before);
}

}  // namespace fastcnn::testing
