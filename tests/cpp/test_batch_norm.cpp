#include "ops/batch_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "backend/cpu/kernels.h"
#include "reference/batch_norm.h"
#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

using Kind = Activation::Kind;
using Options = BatchNorm::Options;

// Parts of vectors, single vectors, several; one row block and many; rank 2.
const Shape shapes[] = {{2, 1, 1, 1},   {3, 3, 5, 4},  {1, 16, 9, 8},    {2, 24, 7, 5}, {4, 64, 13, 11},
                        {2, 147, 6, 6}, {64, 10, 1, 1}, {3, 40, 31, 29}, {2, 2048, 4, 4}, {5, 7}, {600, 130}};

const RunContext training{.training = true, .random = {}};
const RunContext inference{.training = false, .random = {}};

OpPtr make(const Options& options) { return std::make_shared<BatchNorm>(options); }

// x, gamma, beta, running_mean, running_var, and a residual where the options ask for one.
std::vector<Tensor> inputs(const Options& options, const Shape& shape, DType dtype) {
  const Spec channels{Shape{shape[1]}, dtype};
  std::vector<Tensor> x = {random_tensor({shape, dtype}, 1, -1, 3), random_tensor(channels, 2, -2, 2),
                           random_tensor(channels, 3), random_tensor(channels, 4),
                           random_tensor(channels, 5, 0.5, 2)};
  if (options.residual) x.push_back(random_tensor({shape, dtype}, 6));
  return x;
}

std::int64_t rows_of(const Shape& shape) { return shape.numel() / shape[1]; }

template <class T>
T* data(const Tensor& tensor) {
  return static_cast<T*>(tensor.data());
}

// y by the definition, from the batch or from the running statistics.
template <class T>
Tensor expected_y(const Options& options, const std::vector<Tensor>& x, bool batch) {
  const Shape& shape = x[0].spec().shape;
  Tensor y(x[0].spec());
  for (std::int64_t c = 0; c < shape[1]; ++c) {
    reference::BatchNormChannel channel{.count = rows_of(shape),
                                        .stride = shape[1],
                                        .mean = element(x[3], c),
                                        .variance = element(x[4], c),
                                        .eps = options.eps,
                                        .gamma = element(x[1], c),
                                        .beta = element(x[2], c)};
    if (batch) reference::moments(data<T>(x[0]) + c, channel);
    const T* residual = options.residual ? data<T>(x[5]) + c : nullptr;
    reference::batch_norm(channel, options.activation, data<T>(x[0]) + c, residual, data<T>(y) + c);
  }
  return y;
}

std::vector<Options> variants() {
  return {{}, {.activation = {Kind::relu}}, {.activation = {Kind::relu6}}, {.activation = {Kind::tanh}}, {.residual = true},
          {.residual = true, .activation = {Kind::relu}}};
}

template <class T>
void expect_definition(double tolerance) {
  for (const Options& options : variants())
    for (const Shape& shape : shapes) {
      const std::vector<Tensor> x = inputs(options, shape, dtype_of<T>);
      const std::string name = make(options)->describe(std::vector<Spec>{x[0].spec()}) + " of " + shape.str();
      expect_near(OpRunner(make(options), x, training).forward(), expected_y<T>(options, x, true), tolerance,
                  name + " in training");
      expect_near(OpRunner(make(options), x, inference).forward(), expected_y<T>(options, x, false), tolerance,
                  name + " at inference");
    }
}

TEST(BatchNorm, matches_its_definition) {
  expect_definition<float>(3e-6);
  expect_definition<double>(1e-13);
}

TEST(BatchNorm, gradients_match_finite_differences) {
  for (Options options : variants()) {
    options.eps = 0.1;
    for (const Shape& shape : {Shape{3, 19, 3, 3}, Shape{7, 6}}) {
      for (const bool batch_statistics : {true, false}) {
        options.batch_statistics = batch_statistics;
        expect_gradients_match_finite_differences(make(options), inputs(options, shape, DType::float64), training);
      }
    }
  }
}

TEST(BatchNorm, works_without_gamma_beta_and_running_statistics) {
  std::vector<Tensor> x = inputs({}, {3, 5, 4, 4}, DType::float64);
  std::fill_n(data<double>(x[1]), 5, 1.0);
  std::fill_n(data<double>(x[2]), 5, 0.0);
  const Tensor y = expected_y<double>({}, x, true);
  x = {x[0], Tensor(), Tensor(), Tensor(), Tensor()};
  for (const RunContext& run : {training, inference})
    expect_near(OpRunner(make({}), x, run).forward(), y, 1e-13, "y");
  expect_gradients_match_finite_differences(make({}), x, training);
}

TEST(BatchNorm, is_exact_far_from_zero) {
  const Shape shape{8, 32, 30, 30};
  Tensor x = random_tensor({shape}, 1);
  for (std::int64_t i = 0; i < shape.numel(); ++i) data<float>(x)[i] += 1000;
  data<float>(x)[0] = 3e4;  // an outlier in the first row
  std::vector<Tensor> all = inputs({}, shape, DType::float32);
  all[0] = x;
  expect_near(OpRunner(make({}), all, training).forward(), expected_y<float>({}, all, true), 1e-5, "y");
}

// Runs forward as a plan does, with views of the running statistics.
void forward_with_state(const OpPtr& op, const std::vector<Tensor>& x) {
  std::vector<Spec> specs;
  std::vector<ConstView> views;
  std::vector<View> state;
  for (std::size_t i = 0; i < x.size(); ++i) {
    specs.push_back(x[i].spec());
    views.emplace_back(x[i].view());
    state.push_back({op->updates(static_cast<int>(i)) ? x[i].data() : nullptr, x[i].spec()});
  }
  const FencedMemory y(x[0].spec().bytes()), saved(op->backward_needs(specs).saved_bytes);
  const std::unique_ptr<Kernel> kernel = cpu_backend()->make(op, Pass::forward, specs);
  const FencedMemory scratch(kernel->memory().scratch.shared);
  const std::vector<View> outputs = {{y.data(), x[0].spec()}};
  Stream stream;
  kernel->run({.x = views,
               .y = outputs,
               .saved = saved.data(),
               .scratch = {scratch.data(), nullptr, 0},
               .run = &training,
               .state = state},
              stream);
}

TEST(BatchNorm, moves_the_running_statistics_towards_those_of_the_batch) {
  const Options options{.momentum = 0.3};
  const Shape shape{3, 37, 9, 8};
  const std::vector<Tensor> x = inputs(options, shape, DType::float64);
  const std::vector<Tensor> before = inputs(options, shape, DType::float64);
  forward_with_state(make(options), x);
  for (std::int64_t c = 0; c < shape[1]; ++c) {
    reference::BatchNormChannel channel{.count = rows_of(shape), .stride = shape[1]};
    reference::moments(data<double>(x[0]) + c, channel);
    const double n = static_cast<double>(rows_of(shape));
    EXPECT_NEAR(element(x[3], c), 0.7 * element(before[3], c) + 0.3 * channel.mean, 1e-14);
    EXPECT_NEAR(element(x[4], c), 0.7 * element(before[4], c) + 0.3 * channel.variance * n / (n - 1), 1e-14);
  }
  forward_with_state(make({.batch_statistics = false}), x);
  EXPECT_FALSE(make({.batch_statistics = false})->updates(3));
}

TEST(BatchNorm, kernels_work_in_place) {
  constexpr std::int64_t rows = 50, cols = 37;
  const Tensor x = random_tensor({{rows, cols}}, 1), dy = random_tensor({{rows, cols}}, 2);
  const Tensor by_channel = random_tensor({{5, cols}}, 3);
  const float* c = data<float>(by_channel);
  Tensor y(x.spec()), dx(x.spec());
  BatchNormBlock<float> block{rows, cols, c, c + cols, c + 2 * cols, {Kind::relu}, data<float>(x), nullptr, data<float>(y), false};
  const BatchNormGradientBlock<float> gradient{
      rows, cols, c, c + cols, c + 2 * cols, {Kind::relu}, data<float>(x), nullptr, data<float>(dy), nullptr};
  kernels<float>().batch_norm_gradient(gradient, c + 3 * cols, c + 4 * cols, data<float>(dx));
  kernels<float>().batch_norm_gradient(gradient, c + 3 * cols, c + 4 * cols, data<float>(dy));
  expect_same_bytes(dy, dx, "gradient");
  kernels<float>().batch_norm(block);
  block.y = data<float>(x);
  kernels<float>().batch_norm(block);
  expect_same_bytes(x, y, "value");
}

TEST(BatchNorm, writes_the_same_past_the_caches) {
  for (const std::int64_t cols : {64, 96, 37}) {
    const std::int64_t rows = 501;
    const Tensor x = random_tensor({{rows, cols}}, 1), by_channel = random_tensor({{3, cols}}, 3);
    Tensor y(x.spec()), streamed(x.spec());
    const float* c = data<float>(by_channel);
    BatchNormBlock<float> block{rows, cols, c, c + cols, c + 2 * cols, {Kind::relu}, data<float>(x), nullptr, data<float>(y), false};
    kernels<float>().batch_norm(block);
    block.y = data<float>(streamed);
    block.stream = true;
    kernels<float>().batch_norm(block);
    expect_same_bytes(streamed, y, std::to_string(cols) + " channels");
  }
}

TEST(BatchNorm, has_the_same_bytes_at_any_thread_count) {
  for (const Options& options : variants())
    for (const Shape& shape : {Shape{8, 96, 27, 27}, Shape{16, 24, 40, 40}, Shape{512, 1000}})
      expect_same_bytes_at_any_thread_count(make(options), inputs(options, shape, DType::float32));
}

TEST(BatchNorm, computes_only_the_gradients_wanted) {
  const Options options{.residual = true, .activation = {Kind::relu}};
  OpRunner runner(make(options), inputs(options, {4, 20, 6, 6}, DType::float32));
  const Tensor dy = random_tensor(runner.forward().spec(), 5);
  const std::vector<Tensor> all = runner.backward(dy);
  for (const std::size_t i : {0, 1, 2, 5}) {
    std::vector<bool> wanted(6, false);
    wanted[i] = true;
    expect_same_bytes(runner.backward(dy, wanted)[i], all[i], "input " + std::to_string(i));
  }
  EXPECT_FALSE(all[3] || all[4]);
}

TEST(BatchNorm, an_empty_batch_has_an_empty_output_and_zero_gradients) {
  OpRunner runner(make({}), inputs({}, {0, 3, 8, 8}, DType::float32));
  const std::vector<Tensor> dx = runner.backward(runner.forward());
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_EQ(element(dx[1], i) + element(dx[2], i), 0);
}

TEST(BatchNorm, needs_its_output_only_where_the_input_does_not_tell_the_gradient) {
  const std::vector<Spec> x{{{4, 20, 6, 6}}};
  const Activation relu{Kind::relu}, tanh{Kind::tanh};
  EXPECT_FALSE(make({})->backward_needs(x).y);
  EXPECT_FALSE(make({.residual = true})->backward_needs(x).y);
  EXPECT_FALSE(make({.activation = relu})->backward_needs(x).y);
  EXPECT_TRUE(make({.activation = tanh})->backward_needs(x).y);
  EXPECT_TRUE(make({.residual = true, .activation = relu})->backward_needs(x).y);
}

TEST(BatchNorm, takes_one_addition_and_then_one_activation) {
  const OpPtr op = make_op("batch_norm", {{"eps", 1e-3}});
  const OpPtr sum = op->fused_with(ResidualAdd{}, {});
  ASSERT_NE(sum, nullptr);
  EXPECT_EQ(sum->fused_with(ResidualAdd{}, {}), nullptr);
  const OpPtr both = sum->fused_with(Activation{Kind::relu}, {});
  ASSERT_NE(both, nullptr);
  EXPECT_EQ(both->fused_with(Activation{Kind::relu}, {}), nullptr);
  EXPECT_EQ(op->fused_with(Activation{Kind::relu}, {})->fused_with(ResidualAdd{}, {}), nullptr);
  EXPECT_EQ(op->fused_with(Activation{Kind::square}, {}), nullptr);
  EXPECT_EQ(both->describe(std::vector<Spec>{{{4, 20, 6, 6}}}), "BatchNorm 20, add, relu");
}

TEST(BatchNorm, says_what_does_not_fit) {
  const Spec x{{8, 64, 7, 7}}, c{{64}};
  const OpPtr op = make({});
  const auto refusal = [&](const OpPtr& of, std::vector<Spec> specs) {
    return message_of([&] { of->infer(specs); });
  };
  EXPECT_EQ(refusal(op, {x, {{32}}, {{32}}, c, c}), "input has 64 channels, expected 32, as gamma");
  EXPECT_EQ(refusal(op, {{{8, 64, 7}}, c, c, c, c}),
            "input has rank 3, expected 2 (n, c) or 4 (n, c, h, w); got (8, 64, 7)");
  EXPECT_EQ(refusal(op, {x, c, {}, c, c}), "gamma and beta come together or not at all");
  EXPECT_EQ(refusal(op, {x, c, c, c, {}}), "running_mean and running_var come together or not at all");
  EXPECT_NE(refusal(op, {x, c, c}).find("got 3 inputs, expected 5"), std::string::npos);
  EXPECT_NE(refusal(op->fused_with(ResidualAdd{}, {}), {x, c, c, c, c, {{8, 64, 7, 8}}}).find("residual has shape"),
            std::string::npos);
  EXPECT_EQ(message_of([] { make_op("batch_norm", {{"eps", -1.0}}); }), "eps is -1, expected at least 0");
  EXPECT_EQ(message_of([] { make_op("batch_norm", {{"momentum", 1.5}}); }), "momentum is 1.5, expected 0 to 1");
  EXPECT_NE(message_of([] { make_op("batch_norm", {{"activation", std::string("square")}}); }).find("square"),
            std::string::npos);
  EXPECT_EQ(message_of([] { OpRunner(make({}), inputs({}, {1, 3, 1, 1}, DType::float32)).forward(); }),
            "batch statistics need more than one value per channel; x=(1, 3, 1, 1)");
}

}  // namespace
}  // namespace fastcnn::testing
