#include "ops/locally_connected2d.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "core/error.h"
#include "op_testing.h"
#include "ops/conv2d.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

struct Case {
  const char* name;
  Shape x;
  Shape w;
  Pair stride{1, 1};
  Pair pad{0, 0};
  Pair dilation{1, 1};
  std::int64_t groups = 1;

  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

const Case cases[] = {
    {"one_pixel", {1, 1, 1, 1}, {1, 1, 1, 1, 1, 1}},
    {"one_image", {1, 5, 6, 7}, {6, 7, 3, 3, 5, 9}, {1, 1}, {1, 1}},
    {"padded_3x3", {9, 16, 8, 8}, {8, 8, 3, 3, 16, 33}, {1, 1}, {1, 1}},
    {"images_of_three_channels", {5, 3, 9, 7}, {3, 5, 4, 3, 3, 8}, {2, 1}},
    {"groups", {3, 12, 6, 5}, {6, 5, 3, 3, 4, 9}, {1, 1}, {1, 1}, {1, 1}, 3},
    {"depthwise", {2, 6, 7, 7}, {3, 3, 3, 3, 1, 12}, {2, 2}, {0, 0}, {1, 1}, 6},
    {"stride_beyond_kernel", {2, 3, 11, 13}, {3, 5, 2, 1, 3, 5}, {4, 3}},
    {"dilated", {2, 4, 9, 11}, {5, 9, 3, 2, 4, 6}, {1, 1}, {0, 0}, {2, 2}},
    {"dilated_strided_padded", {3, 4, 9, 7}, {6, 4, 3, 3, 2, 6}, {2, 2}, {3, 2}, {2, 2}, 2},
    {"pad_beyond_kernel", {2, 3, 4, 3}, {11, 8, 2, 2, 3, 5}, {1, 1}, {4, 3}},
    {"whole_image_kernel", {4, 6, 5, 5}, {1, 1, 5, 5, 6, 10}},
    {"chunks_of_images", {133, 40, 3, 3}, {1, 1, 11, 11, 40, 3}, {1, 1}, {4, 4}},
};

OpPtr make_local(const Case& c, Activation f = {}) {
  return std::make_shared<LocallyConnected2d>(LocallyConnected2d::Options{c.stride, c.pad, c.dilation, c.groups, f});
}

std::vector<Tensor> inputs(const Case& c, DType dtype) {
  return {random_tensor({c.x, dtype}, 1), random_tensor({c.w, dtype}, 2),
          random_tensor({{1, c.w[5], c.w[0], c.w[1]}, dtype}, 3)};
}

// The definition, in double precision.
Tensor plain_loops(const Case& c, const std::vector<Tensor>& in) {
  const Shape& x = c.x;
  const Shape& w = c.w;
  const std::int64_t group_out = w[5] / c.groups;
  Tensor y({{x[0], w[5], w[0], w[1]}, DType::float64});
  for (std::int64_t n = 0; n < x[0]; ++n)
    for (std::int64_t oh = 0; oh < w[0]; ++oh)
      for (std::int64_t ow = 0; ow < w[1]; ++ow)
        for (std::int64_t co = 0; co < w[5]; ++co) {
          double sum = element(in[2], (oh * w[1] + ow) * w[5] + co);
          for (std::int64_t kh = 0; kh < w[2]; ++kh)
            for (std::int64_t kw = 0; kw < w[3]; ++kw) {
              const std::int64_t ih = oh * c.stride[0] - c.pad[0] + kh * c.dilation[0];
              const std::int64_t iw = ow * c.stride[1] - c.pad[1] + kw * c.dilation[1];
              if (ih < 0 || ih >= x[2] || iw < 0 || iw >= x[3]) continue;
              for (std::int64_t ci = 0; ci < w[4]; ++ci)
                sum += element(in[0], ((n * x[2] + ih) * x[3] + iw) * x[1] + co / group_out * w[4] + ci) *
                       element(in[1], ((((oh * w[1] + ow) * w[2] + kh) * w[3] + kw) * w[4] + ci) * w[5] + co);
            }
          y.view().as<double>()[((n * w[0] + oh) * w[1] + ow) * w[5] + co] = sum;
        }
  return y;
}

class LocallyConnected2dCase : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(LocallyConnected2d, LocallyConnected2dCase, ::testing::ValuesIn(cases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(LocallyConnected2dCase, equals_plain_loops) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    const auto x = inputs(GetParam(), dtype);
    expect_near(OpRunner(make_local(GetParam()), x).forward(), plain_loops(GetParam(), x),
                dtype == DType::float32 ? 1e-5 : 1e-13, "y");
  }
}

TEST_P(LocallyConnected2dCase, gradients_match_finite_differences) {
  const Activation tanh{.kind = Activation::Kind::tanh, .a = 1.7, .b = 0.1};
  expect_gradients_match_finite_differences(make_local(GetParam(), tanh), inputs(GetParam(), DType::float64), {}, 1e-6,
                                            12);
}

// y is linear in x and in w, so <dy, y - b> = <dx, x> = <dw, w>: every element counts.
TEST_P(LocallyConnected2dCase, gradients_are_the_transposes) {
  auto x = inputs(GetParam(), DType::float64);
  x.pop_back();
  OpRunner runner(make_local(GetParam()), x);
  const Tensor y = runner.forward();
  const Tensor dy = random_tensor(runner.y_spec(), 4);
  const auto dx = runner.backward(dy);
  const auto product = [](const Tensor& a, const Tensor& b) {
    double sum = 0;
    for (std::int64_t i = 0; i < a.spec().shape.numel(); ++i) sum += element(a, i) * element(b, i);
    return sum;
  };
  const double expected = product(dy, y);
  EXPECT_NEAR(product(dx[0], x[0]), expected, 1e-10 * (1 + std::abs(expected)));
  EXPECT_NEAR(product(dx[1], x[1]), expected, 1e-10 * (1 + std::abs(expected)));
}

TEST_P(LocallyConnected2dCase, bytes_are_the_same_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(make_local(GetParam()), inputs(GetParam(), DType::float32));
}

TEST(LocallyConnected2d, with_the_same_filters_everywhere_is_a_convolution) {
  const Case c{"", {2, 6, 9, 8}, {5, 4, 3, 3, 3, 10}, {2, 2}, {1, 1}, {1, 1}, 2};
  auto x = inputs(c, DType::float64);
  const Tensor filters = random_tensor({{10, 3, 3, 3}, DType::float64}, 7);  // stored (10, k_h, k_w, 3)
  auto* w = x[1].view().as<double>();
  for (std::int64_t i = 0; i < c.w.numel(); ++i) {
    const std::int64_t row = i / 10 % 27;  // tap and channel
    w[i] = element(filters, i % 10 * 27 + row);
  }
  const auto conv = std::make_shared<Conv2d>(Conv2d::Options{c.stride, c.pad, c.dilation, c.groups, "auto", {}});
  const Tensor expected = OpRunner(conv, {x[0], filters}).forward();
  expect_near(OpRunner(make_local(c), {x[0], x[1]}).forward(), expected, 1e-13, "y");
}

TEST(LocallyConnected2d, computes_only_the_gradients_wanted) {
  const Case c{"", {2, 3, 6, 6}, {4, 4, 3, 3, 3, 4}};
  OpRunner runner(make_local(c), inputs(c, DType::float32));
  runner.forward();
  const Tensor dy = random_tensor(runner.y_spec(), 5);
  const auto all = runner.backward(dy);
  for (std::size_t i = 0; i < 3; ++i) {
    std::vector<bool> wanted(3, false);
    wanted[i] = true;
    expect_same_bytes(runner.backward(dy, wanted)[i], all[i], "input " + std::to_string(i));
  }
}

TEST(LocallyConnected2d, an_empty_batch_has_an_empty_output_and_zero_parameter_gradients) {
  const Case c{"", {0, 3, 6, 6}, {4, 4, 3, 3, 3, 4}};
  OpRunner runner(make_local(c), inputs(c, DType::float32));
  EXPECT_EQ(runner.forward().spec().shape, (Shape{0, 4, 4, 4}));
  const auto dx = runner.backward(Tensor(runner.y_spec()));
  for (const std::size_t input : {1, 2})
    for (std::int64_t i = 0; i < dx[input].spec().shape.numel(); ++i) ASSERT_EQ(element(dx[input], i), 0);
}

TEST(LocallyConnected2d, describes_itself_and_takes_an_activation_once) {
  const std::vector<Spec> x{{{8, 64, 8, 8}}, {{8, 8, 3, 3, 32, 48}}};
  const OpPtr op = make_op("locally_connected2d", {{"groups", std::int64_t{2}}, {"pad", std::int64_t{1}}});
  EXPECT_EQ(op->infer(x)[0].shape, (Shape{8, 48, 8, 8}));
  EXPECT_EQ(op->describe(x), "LocallyConnected2d 64→48, 3x3, pad=1, groups=2");
  EXPECT_EQ(op->macs(x), 8ll * 64 * 9 * 32 * 48);
  const OpPtr fused = op->fused_with(Activation{.kind = Activation::Kind::relu}, x);
  EXPECT_EQ(fused->describe(x), "LocallyConnected2d 64→48, 3x3, pad=1, groups=2, relu");
  EXPECT_EQ(fused->fused_with(Activation{.kind = Activation::Kind::relu}, x), nullptr);
  EXPECT_EQ(op->fused_with(Activation{.kind = Activation::Kind::square}, x), nullptr);
}

TEST(LocallyConnected2d, refuses_what_does_not_fit_and_says_why) {
  const auto refusal = [](std::vector<Spec> x, const std::string& message) {
    expect_throws<Error>([&] { make_op("locally_connected2d", {{"pad", std::int64_t{1}}})->infer(x); }, message);
  };
  const Spec x{{8, 64, 8, 8}}, w{{8, 8, 3, 3, 64, 32}};
  refusal({x}, "got 1 input");
  refusal({{{8, 64}}, w}, "rank 2");
  refusal({x, {{32, 64, 3, 3}}}, "weight has rank 4, expected 6 (h_out, w_out, k_h, k_w, c_in/groups, c_out)");
  refusal({{{8, 32, 8, 8}}, w}, "input has 32 channels, expected 64");
  refusal({{{8, 64, 9, 8}}, w}, "weight has filters for 8x8 positions, but over this input windows have 9x8");
  refusal({x, {{8, 8, 3, 3, 64, 0}}}, "weight is empty");
  refusal({x, {{8, 8, 3, 3, 64, 32}, DType::float64}}, "weight has type float64");
  refusal({x, w, {{32}}}, "bias has shape (32,), expected (1, 32, 8, 8)");
  const auto make = [](const char* name, Attribute value) { make_op("locally_connected2d", {{name, value}}); };
  expect_throws<ValueError>([&] { make("groups", std::int64_t{0}); }, "groups is 0");
  expect_throws<ValueError>([&] { make("activation", std::string("square")); }, "square");
}

}  // namespace
}  // namespace fastcnn::testing
