#include "ops/pool_channels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn {
namespace {

using testing::element;
using testing::OpRunner;
using testing::random_tensor;

struct ChannelsCase {
  const char* name;
  Shape x;
  std::int64_t size, stride, start = 0, output = 0;
  bool ceil_mode = false;

  OpPtr pool(std::string_view kind) const {
    Attributes attributes{{"pool", std::string(kind)},
                                                             {"size", size},
                                                             {"stride", stride},
                                                             {"start", start},
                                                             {"ceil_mode", ceil_mode}};
    if (output > 0) attributes["output"] = output;
    return make_op("pool_channels", attributes);
  }
  friend void PrintTo(const ChannelsCase& c, std::ostream* out) { *out << c.name; }
};

const std::vector<ChannelsCase> cases = {
    {"one_channel", {2, 1, 2, 3}, 1, 1},
    {"maxout", {3, 96, 5, 4}, 2, 2},
    {"maxout_of_a_matrix", {7, 250}, 5, 5},
    {"maxout_of_odd_sizes", {2, 51, 3, 3}, 3, 3},
    {"global", {2, 65, 3, 5}, 65, 65},
    {"overlapping", {2, 64, 3, 7}, 5, 2},
    {"sliding", {2, 39, 4, 4}, 3, 1},
    {"around_each_channel", {2, 33, 3, 3}, 5, 1, -2, 33},
    {"rounded_up", {2, 20, 3, 2}, 4, 3, -1, 0, true},
    {"starts_within", {2, 40, 2, 2}, 4, 2, 3},
    {"gaps", {2, 70, 3, 3}, 2, 5},
    {"fewer_than_fit", {2, 70, 3, 3}, 3, 2, 0, 4},
    {"many_tasks", {2, 512, 12, 11}, 4, 4},
    {"empty_batch", {0, 8, 3, 3}, 2, 2},
};

class ChannelPool : public ::testing::TestWithParam<ChannelsCase> {};
INSTANTIATE_TEST_SUITE_P(EachCase, ChannelPool, ::testing::ValuesIn(cases),
                         [](const auto& info) { return std::string(info.param.name); });

// By the definition, in storage order. dx is added to.
template <class T>
void reference(const ChannelsCase& c, bool max, std::int64_t c_out, const Tensor& x, Tensor& y, const Tensor& dy,
               Tensor& dx) {
  const std::int64_t channels = c.x[1];
  for (std::int64_t i = 0; i < y.spec().shape.numel(); ++i) {
    const std::int64_t row = i / c_out * channels, first = c.start + i % c_out * c.stride;
    std::int64_t winner = -1, count = 0;
    T sum = 0;
    const auto for_taps = [&](auto f) {
      for (std::int64_t j = first; j < first + c.size; ++j)
        if (j >= 0 && j < channels) f(row + j);
    };
    const T* from = static_cast<T*>(x.data());
    for_taps([&](std::int64_t at) {
      if (winner < 0 || from[at] > from[winner]) winner = at;
      sum += from[at];
      ++count;
    });
    static_cast<T*>(y.data())[i] = max ? from[winner] : sum / static_cast<T>(count);
    const T gradient = static_cast<T*>(dy.data())[i];
    for_taps([&](std::int64_t at) {
      if (!max) static_cast<T*>(dx.data())[at] += gradient / static_cast<T>(count);
      if (max && at == winner) static_cast<T*>(dx.data())[at] += gradient;
    });
  }
}

template <class T>
void expect_equals_reference(const ChannelsCase& c, bool max, double tolerance) {
  Tensor x = random_tensor({c.x, dtype_of<T>}, 1, -3, 3);
  if (max)  // ties
    std::for_each_n(static_cast<T*>(x.data()), c.x.numel(), [](T& v) { v = std::round(v); });
  OpRunner runner(c.pool(max ? "max" : "avg"), {x});
  const Tensor y = runner.forward();
  const Tensor dy = random_tensor(runner.y_spec(), 2);
  Tensor expected_y(runner.y_spec());
  Tensor expected_dx(x.spec());
  reference<T>(c, max, runner.y_spec().shape[1], x, expected_y, dy, expected_dx);
  testing::expect_near(y, expected_y, max ? 0 : tolerance, "y");
  testing::expect_near(runner.backward(dy)[0], expected_dx, tolerance, "dx");
}

TEST_P(ChannelPool, EqualsReference) {
  for (const bool max : {true, false}) {
    expect_equals_reference<float>(GetParam(), max, 2e-6);
    expect_equals_reference<double>(GetParam(), max, 1e-14);
  }
}

TEST_P(ChannelPool, GradientMatchesFiniteDifferences) {
  const Tensor x = random_tensor({GetParam().x, DType::float64}, 1);
  for (const auto* kind : {"max", "avg"})
    testing::expect_gradients_match_finite_differences(GetParam().pool(kind), {x}, {}, 1e-6, 20);
}

TEST_P(ChannelPool, BytesAreTheSameAtAnyThreadCount) {
  for (const auto* kind : {"max", "avg"})
    testing::expect_same_bytes_at_any_thread_count(GetParam().pool(kind), {random_tensor({GetParam().x}, 1)});
}

TEST(PoolChannels, NaNWinsAndTakesTheGradient) {
  Tensor x = random_tensor({{1, 6}}, 1);
  static_cast<float*>(x.data())[4] = std::numeric_limits<float>::quiet_NaN();
  OpRunner runner(make_op("pool_channels", {{"size", std::int64_t{3}}}), {x});
  EXPECT_TRUE(std::isnan(element(runner.forward(), 1)));
  const Tensor dx = runner.backward(random_tensor(runner.y_spec(), 1, 1.0, 1.0))[0];
  EXPECT_EQ(element(dx, 4), 1);
}

TEST(PoolChannels, DescribesItself) {
  const std::vector<Spec> x{{{2, 20, 3, 3}}};
  const OpPtr op = cases[8].pool("avg");
  EXPECT_EQ(op->describe(x), "AvgPoolChannels 4, stride=3, start=-1, ceil_mode");
  EXPECT_EQ(op->infer(x)[0].shape, (Shape{2, 7, 3, 3}));
  EXPECT_EQ(make_op("pool_channels", {{"size", std::int64_t{2}}})->describe(x), "MaxPoolChannels 2");
}

TEST(PoolChannels, RefusesWhatMakesNoSense) {
  const std::int64_t three = 3;
  const auto make = [&](std::string_view name, Attribute value) {
    return make_op("pool_channels", {{"size", three}, {std::string(name), value}});
  };
  testing::expect_throws<ValueError>([] { make_op("pool_channels", {}); }, "size is missing");
  testing::expect_throws<ValueError>([&] { make("pool", std::string("sum")); }, "expected \"max\" or \"avg\"");
  testing::expect_throws<ValueError>([&] { make("start", -three); }, "start is -3, expected -2 to 65536");
  testing::expect_throws<ValueError>([&] { make("stride", std::int64_t{0}); }, "stride is 0, expected 1");
  const OpPtr op = make("stride", three);
  testing::expect_throws<ShapeError>([&] { op->infer(std::vector<Spec>{{{1, 2, 4, 4}}}); },
                                     "kernel of 3 is larger than the input of 2 along the channels");
  testing::expect_throws<ShapeError>([&] { op->infer(std::vector<Spec>{{{3, 4, 4}}}); }, "rank 3");
  testing::expect_throws<ShapeError>([&] { make("output", three)->infer(std::vector<Spec>{{{1, 5}}}); },
                                     "the last of 3 windows begins at 6");
}

}  // namespace
}  // namespace fastcnn
