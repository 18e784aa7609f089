// Runs one op as the executor would, and checks what every op promises: gradients equal to finite
// differences, the same bytes at any number of threads, memory written in full and nowhere else.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

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

// An op and its inputs; an absent optional input is a Tensor().
class OpRunner {
 public:
  OpRunner(OpPtr op, std::vector<Tensor> x, RunContext run = {.training = true, .random = {}})
      : op_(std::move(op)), x_(std::move(x)), run_(run) {
    for (const Tensor& tensor : x_) specs_.push_back(tensor.spec());
    y_spec_ = op_->infer(specs_);
    needs_ = op_->backward_needs(specs_);
    saved_ = std::make_unique<FencedMemory>(needs_.saved_bytes);
  }

  const Op& op() const { return *op_; }
  const std::vector<Tensor>& x() const { return x_; }
  Specs specs() const { return specs_; }
  const Spec& y_spec() const { return y_spec_; }

  // `moments_of_y`, when given, has room for Op::moments_bytes.
  const Tensor& forward(const std::byte* moments_of_x = nullptr, std::byte* moments_of_y = nullptr) {
    const FencedMemory y(y_spec_.bytes());
    const Working working(op_->scratch(specs_, Phase::forward));
    std::vector<ConstView> x;
    for (const Tensor& tensor : x_) x.push_back(tensor ? ConstView(tensor.view()) : ConstView{});
    op_->forward({.x = x,
                  .y = {y.data(), y_spec_},
                  .saved = needs_.saved_bytes > 0 ? saved_->data() : nullptr,
                  .scratch = working.scratch(),
                  .run = &run_,
                  .moments_of_x = moments_of_x,
                  .moments_of_y = moments_of_y});
    working.expect_intact();
    y.expect_intact("y");
    saved_->expect_intact("saved");
    y_ = copy(y, y_spec_);
    return y_;
  }

  // After forward. Gradients of the inputs that are there, floating-point, differentiable and `wanted` (all,
  // when empty); a Tensor() for the others.
  std::vector<Tensor> backward(const Tensor& dy, const std::vector<bool>& wanted = {}) {
    const FencedMemory dy_copy(y_spec_.bytes());
    std::memcpy(dy_copy.data(), dy.data(), y_spec_.bytes());
    const Working working(op_->scratch(specs_, Phase::backward));
    std::vector<ConstView> x;
    std::vector<FencedMemory> memory;
    std::vector<View> dx;
    for (std::size_t i = 0; i < x_.size(); ++i) {
      const bool kept = x_[i] && (needs_.x >> i & 1u);
      x.push_back({kept ? x_[i].data() : nullptr, specs_[i]});
      const bool has_gradient = is_floating(specs_[i].dtype) && op_->differentiable(static_cast<int>(i));
      const bool want = x_[i] && has_gradient && (wanted.empty() || wanted[i]);
      memory.emplace_back(specs_[i].bytes());
      dx.push_back({want ? memory.back().data() : nullptr, specs_[i]});
    }
    op_->backward({.x = x,
                   .y = {needs_.y ? y_.data() : nullptr, y_spec_},
                   .saved = needs_.saved_bytes > 0 ? saved_->data() : nullptr,
                   .dy = {dy_copy.data(), y_spec_},
                   .dx = dx,
                   .scratch = working.scratch(),
                   .run = &run_});
    working.expect_intact();
    dy_copy.expect_intact("dy");
    std::vector<Tensor> gradients;
    for (std::size_t i = 0; i < x_.size(); ++i) {
      memory[i].expect_intact("dx");
      gradients.push_back(dx[i] ? copy(memory[i], specs_[i]) : Tensor());
    }
    return gradients;
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

  static Tensor copy(const FencedMemory& memory, const Spec& spec) {
    Tensor tensor(spec);
    std::memcpy(tensor.data(), memory.data(), spec.bytes());
    return tensor;
  }

  OpPtr op_;
  std::vector<Tensor> x_;
  RunContext run_;
  std::vector<Spec> specs_;
  Spec y_spec_;
  Needs needs_;
  std::unique_ptr<FencedMemory> saved_;
  Tensor y_;
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
