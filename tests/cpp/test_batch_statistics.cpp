// Moments of parts of a batch: those of the whole from them, the convolutions that gather them while they write,
// and the plans in which a batch norm takes them.
#include "backend/cpu/ops/batch_statistics.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "reference/batch_norm.h"
#include "graph/plan.h"
#include "conv2d_testing.h"
#include "graph_testing.h"
#include "ops/batch_norm.h"
#include "ops/conv2d.h"

namespace fastcnn::testing {
namespace {

template <class T>
T* data(const Tensor& tensor) {
  return static_cast<T*>(tensor.data());
}

// What merge() gives equals the moments of the channels of x, stored channels-last.
template <class T>
void expect_moments(const BatchStatistics<T>& moments, const Tensor& x, double tolerance, const std::string& what) {
  const std::int64_t channels = x.spec().shape[1];
  const std::int64_t pixels = x.spec().shape.numel() / channels;
  std::vector<double> mean(static_cast<std::size_t>(channels)), squares = mean;
  std::vector<int> calls(static_cast<std::size_t>(channels), 0);
  moments.merge([&](std::int64_t c, double m, double s, std::int64_t n) {
    const auto i = static_cast<std::size_t>(c);
    mean[i] = m;
    squares[i] = s;
    calls[i] += n == pixels ? 1 : 100;
  });
  for (std::int64_t c = 0; c < channels; ++c) {
    const auto i = static_cast<std::size_t>(c);
    reference::BatchNormChannel channel{.count = pixels, .stride = channels};
    reference::moments(data<T>(x) + c, channel);
    const double variance = squares[i] / static_cast<double>(pixels);
    EXPECT_EQ(calls[i], 1) << what << ", channel " << c;
    ASSERT_NEAR(mean[i], channel.mean, tolerance * (1 + std::abs(channel.mean))) << what << ", channel " << c;
    ASSERT_NEAR(variance, channel.variance, tolerance * (1 + channel.variance)) << what << ", channel " << c;
  }
}

template <class T>
void expect_parts_make_the_whole(double tolerance) {
  constexpr std::int64_t cuts[] = {1, 300, 17, 128, 2, 515};
  for (const std::int64_t channels : {1, 16, 37, 130}) {
    const std::int64_t first = channels / 3;  // two tasks share each part
    const Tensor x = random_tensor({{963, channels}, dtype_of<T>}, 1, 3, 5);
    const FencedMemory memory(BatchStatistics<T>::bytes(std::size(cuts), channels));
    const BatchStatistics<T> moments(memory.data(), std::size(cuts), channels);
    std::int64_t pixel = 0;
    for (std::size_t part = 0; part < std::size(cuts); ++part) {
      const auto p = static_cast<std::int64_t>(part);
      if (first > 0) moments.gather(p, data<T>(x), pixel, cuts[part], 0, first);
      moments.gather(p, data<T>(x), pixel, cuts[part], first, channels - first);
      pixel += cuts[part];
    }
    memory.expect_intact("statistics");
    const auto read = BatchStatistics<T>::gathered(memory.data(), channels);
    expect_moments(read, x, tolerance, std::to_string(channels) + " channels");
  }
}

TEST(BatchStatistics, of_parts_make_those_of_the_whole) {
  expect_parts_make_the_whole<float>(2e-6);
  expect_parts_make_the_whole<double>(1e-14);
}

// Each row is summed by its distance from the mean of those before.
TEST(BatchStatistics, are_exact_where_the_first_rows_are_unlike_the_others) {
  constexpr std::int64_t channels = 24;
  for (const std::int64_t odd_rows : {1, 16, 100, 128, 500}) {
    Tensor x = random_tensor({{4096, channels}}, 1);
    for (std::int64_t i = 0; i < x.spec().shape.numel(); ++i) data<float>(x)[i] += i < odd_rows * channels ? 0 : 1000;
    const FencedMemory memory(BatchStatistics<float>::bytes(1, channels));
    const BatchStatistics<float> moments(memory.data(), 1, channels);
    moments.gather(0, data<float>(x), 0, 4096);
    expect_moments(moments, x, 5e-6, std::to_string(odd_rows) + " other rows");
  }
}

struct Layer {
  Shape x, w;
  Pair stride{1, 1}, pad{0, 0};
  std::int64_t groups = 1;
};

const Layer layers[] = {
    {{3, 24, 17, 13}, {40, 24, 1, 1}},                          // pointwise, two parts
    {{40, 16, 29, 31}, {30, 16, 1, 1}},                         // many
    {{3, 32, 9, 9}, {20, 8, 1, 1}, {1, 1}, {0, 0}, 4},          // groups
    {{2, 37, 21, 19}, {37, 1, 3, 3}, {1, 1}, {1, 1}, 37},       // depthwise
    {{5, 64, 30, 30}, {64, 1, 3, 3}, {2, 2}, {1, 1}, 64},       // strided
    {{4, 3, 61, 67}, {24, 3, 7, 7}, {2, 2}, {3, 3}},            // rows of images
    {{70, 5, 6, 6}, {19, 5, 3, 3}, {1, 1}, {1, 1}},             // several images at once
    {{1, 8, 300, 150}, {70, 8, 3, 3}, {1, 1}, {1, 1}},          // one image in pieces that are not even
    {{9, 16, 37, 41}, {8, 8, 3, 3}, {2, 2}, {1, 1}, 2},
    {{1, 4, 1, 1}, {6, 4, 1, 1}},
};

OpPtr conv(const Layer& layer, std::string algorithm) {
  return std::make_shared<Conv2d>(Conv2d::Options{
      layer.stride, layer.pad, {1, 1}, layer.groups, std::move(algorithm), {.kind = Activation::Kind::relu}});
}

// Bytes of y and of what was gathered, at any number of threads.
template <class T>
int expect_gathers(const Layer& layer, const std::string& algorithm, double tolerance) {
  const OpPtr op = conv(layer, algorithm);
  const std::vector<Tensor> x = {random_tensor({layer.x, dtype_of<T>}, 1), random_tensor({layer.w, dtype_of<T>}, 2),
                                 random_tensor({{layer.w[0]}, dtype_of<T>}, 3, 1, 2)};
  if (!is_taken(op, {x[0].spec(), x[1].spec(), x[2].spec()})) return 0;
  const std::string what = algorithm + " of " + layer.x.str() + " and " + layer.w.str();
  std::vector<std::byte> first;
  const int before = num_threads().threads;
  for (const int threads : {1, 2, 3, 8}) {
    set_num_threads(threads);
    OpRunner runner(op, x);
    const std::size_t bytes = runner.forward_kernel().memory().statistics;
    if (bytes == 0) break;
    const Tensor alone = runner.forward();
    const FencedMemory memory(bytes);
    const Tensor& y = runner.forward(nullptr, memory.data());
    memory.expect_intact("statistics");
    expect_same_bytes(y, alone, what);
    expect_moments(BatchStatistics<T>::gathered(memory.data(), layer.w[0]), y, tolerance, what);
    const std::vector<std::byte> now(memory.data(), memory.data() + bytes);
    if (first.empty()) first = now;
    EXPECT_EQ(now, first) << what << " at " << threads << " threads";
  }
  set_num_threads(before);
  return first.empty() ? 0 : 1;
}

TEST(BatchStatistics, are_gathered_by_convolutions) {
  for (const Conv2dAlgorithm<float>* algorithm : conv2d_algorithms<float>()) {
    const std::string name(algorithm->name());
    int gathering = 0;
    for (const Layer& layer : layers) {
      gathering += expect_gathers<float>(layer, name, 3e-6);
      gathering += expect_gathers<double>(layer, name, 1e-12);
    }
    const bool declines = name.starts_with("winograd") || name == "reference";
    EXPECT_EQ(gathering == 0, declines) << name;
  }
}

TEST(BatchStatistics, are_gathered_where_they_are_not_in_a_shared_cache_later) {
  const OpPtr op = conv({}, "auto");
  for (const std::int64_t n : {0, 1, 2, 64, 65}) {  // 2^18 bytes each
    const std::vector<Spec> x = {{{n, 16, 32, 32}}, {{64, 16, 1, 1}}, {}};
    EXPECT_EQ(cpu_backend()->make(op, Pass::forward, x)->memory().statistics > 0, n == 65) << n;
  }
}

// x -> conv -> bn with ReLU -> output. With `shortcut` another layer reads the convolution, too.
Graph conv_and_norm(const Layer& layer, const std::string& algorithm, DType dtype, bool batch_statistics = true,
                    bool shortcut = false) {
  Graph graph;
  const ValueId x = graph.input({layer.x, dtype}, "x", true);
  const ValueId w = graph.parameter(random_parameter({layer.w, dtype}, 2), "conv.weight");
  std::vector<ValueId> inputs = {graph.add(
      std::make_shared<Conv2d>(Conv2d::Options{layer.stride, layer.pad, {1, 1}, layer.groups, algorithm, {}}),
      {x, w, no_value}, "conv")};
  for (const char* name : {"gamma", "beta", "mean", "var"}) {
    const auto p = random_parameter({{layer.w[0]}, dtype}, 5);
    p->requires_grad = inputs.size() < 3;
    inputs.push_back(graph.parameter(p, name));
  }
  const BatchNorm::Options options{.eps = 0.1, .batch_statistics = batch_statistics};
  const ValueId z = graph.add(std::make_shared<BatchNorm>(options), inputs, "bn");
  graph.output(graph.add(activation_op("tanh"), {z}, "tanh"));
  if (shortcut) graph.output(graph.add(activation_op("tanh"), {inputs[0]}, "shortcut"));
  return graph;
}

TEST(BatchStatistics, go_from_step_to_step_in_a_plan) {
  const Plan plan(conv_and_norm(layers[0], "pointwise", DType::float32), Mode::training, cpu_backend());
  const Step& conv = plan.forward_steps()[0];
  const Step& norm = plan.forward_steps()[1];
  EXPECT_GT(conv.statistics_of_y.bytes, 0u);
  EXPECT_EQ(conv.statistics_of_y.offset, norm.statistics_of_x.offset);
  EXPECT_EQ(conv.statistics_of_x.bytes + norm.statistics_of_y.bytes, 0u);
  const std::string text = plan.explain();
  EXPECT_NE(text.find("gathers batch statistics"), std::string::npos) << text;
  EXPECT_NE(text.find("batch statistics gathered"), std::string::npos) << text;
}

TEST(BatchStatistics, are_not_gathered_where_nobody_reads_them) {
  const auto gathers = [](const Graph& graph, Mode mode) {
    return Plan(graph, mode, cpu_backend()).explain().find("gathers batch statistics") != std::string::npos;
  };
  EXPECT_FALSE(gathers(conv_and_norm(layers[0], "pointwise", DType::float32), Mode::inference));
  EXPECT_FALSE(gathers(conv_and_norm(layers[0], "pointwise", DType::float32, false), Mode::training));
  EXPECT_FALSE(gathers(conv_and_norm(layers[0], "auto", DType::float32), Mode::training));
  EXPECT_TRUE(gathers(conv_and_norm(layers[0], "pointwise", DType::float32, true, true), Mode::training));
}

const Layer small_layers[] = {{{3, 5, 4, 4}, {6, 5, 1, 1}},
                              {{2, 6, 5, 4}, {6, 1, 3, 3}, {1, 1}, {1, 1}, 6},
                              {{2, 3, 7, 6}, {5, 3, 3, 3}, {2, 2}, {1, 1}}};
const char* const small_algorithms[] = {"pointwise", "depthwise", "implicit"};

TEST(BatchStatistics, let_gradients_through) {
  for (std::size_t i = 0; i < std::size(small_layers); ++i) {
    for (const bool shortcut : {false, true}) {
      const Graph graph = conv_and_norm(small_layers[i], small_algorithms[i], DType::float64, true, shortcut);
      GraphRunner runner(graph, Mode::training, {random_tensor({small_layers[i].x, DType::float64}, 3)});
      ASSERT_GT(runner.executor().plan().forward_steps()[0].statistics_of_y.bytes, 0u);
      runner.expect_gradients_match_finite_differences();
    }
  }
}

// Large enough for the batch norm's output to be dropped and made again.
TEST(BatchStatistics, leave_the_same_bytes_at_any_thread_count_and_the_values_of_a_pass_of_its_own) {
  const Layer layer{{5, 8, 80, 81}, {24, 8, 3, 3}, {1, 1}, {1, 1}};
  const int before = num_threads().threads;
  const auto results = [&](const std::string& algorithm, int threads) {
    set_num_threads(threads);
    const Graph graph = conv_and_norm(layer, algorithm, DType::float64);
    GraphRunner runner(graph, Mode::training, {random_tensor({layer.x, DType::float64}, 3)});
    runner.forward();
    runner.backward();
    std::vector<Tensor> tensors = {copy_of(runner.executor().output(0)), copy_of(runner.executor().input_grad(0))};
    for (const GraphParameter& p : graph.parameters())
      tensors.push_back(copy_of(p.parameter->requires_grad ? p.parameter->grad.view() : p.parameter->value.view()));
    return tensors;
  };
  const std::vector<Tensor> apart = results("winograd_2x3", 1), one = results("implicit", 1);
  for (std::size_t i = 0; i < one.size(); ++i) expect_near(one[i], apart[i], 1e-10, "result " + std::to_string(i));
  for (const int threads : {2, 3, 8}) {
    const std::vector<Tensor> many = results("implicit", threads);
    const std::string at = std::to_string(threads) + " threads";
    for (std::size_t i = 0; i < one.size(); ++i) expect_same_bytes(many[i], one[i], at);
  }
  set_num_threads(before);
}

TEST(BatchStatistics, of_no_images_and_of_one) {
  for (const std::int64_t n : {0, 1}) {
    const Layer layer{{n, 3, 7, 6}, {5, 3, 3, 3}, {2, 2}, {1, 1}};
    GraphRunner runner(conv_and_norm(layer, "implicit", DType::float64), Mode::training,
                       {random_tensor({layer.x, DType::float64}, 3)});
    EXPECT_EQ(runner.executor().plan().forward_steps()[0].statistics_of_y.bytes > 0, n > 0);
    runner.expect_gradients_match_finite_differences();
  }
}

}  // namespace
}  // namespace fastcnn::testing
