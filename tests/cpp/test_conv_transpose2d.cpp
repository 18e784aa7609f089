#include "ops/conv_transpose2d.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <ostream>
#include <string>
#include <vector>

#include "core/error.h"
#include "conv2d_testing.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

struct Case {
  const char* name;
  Shape x;
  Shape w;
  Pair stride{1, 1};
  Pair pad{0, 0};
  Pair output_pad{0, 0};
  Pair dilation{1, 1};
  std::int64_t groups = 1;

  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

const Case cases[] = {
    {"one_pixel", {1, 1, 1, 1}, {1, 1, 1, 1}},
    {"vector_to_image", {3, 20, 1, 1}, {20, 12, 4, 4}},
    {"vgg_3x3", {2, 17, 13, 11}, {17, 19, 3, 3}, {1, 1}, {1, 1}},
    {"doubling", {2, 24, 7, 9}, {24, 10, 4, 4}, {2, 2}, {1, 1}},
    {"output_pad", {2, 9, 6, 5}, {9, 7, 3, 3}, {2, 2}, {1, 1}, {1, 1}},
    {"output_pad_by_dilation", {2, 5, 6, 5}, {5, 4, 3, 2}, {1, 1}, {1, 0}, {2, 1}, {3, 2}},
    {"stride_beyond_kernel", {2, 3, 5, 4}, {3, 5, 2, 1}, {4, 3}, {0, 0}, {1, 2}},
    {"pad_beyond_kernel", {2, 3, 9, 8}, {3, 4, 2, 2}, {1, 1}, {3, 2}},
    {"rectangular", {3, 7, 5, 8}, {7, 5, 3, 5}, {2, 3}, {1, 2}, {1, 0}},
    {"dilated", {2, 4, 7, 6}, {4, 6, 3, 3}, {1, 1}, {2, 1}, {0, 0}, {2, 2}},
    {"groups", {2, 12, 6, 5}, {12, 5, 3, 3}, {2, 2}, {1, 1}, {0, 1}, {1, 1}, 3},
    {"depthwise", {2, 10, 7, 7}, {10, 1, 3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}, 10},
    {"pointwise", {3, 33, 5, 4}, {33, 21, 1, 1}},
    {"many_pixels", {9, 16, 19, 21}, {16, 8, 4, 4}, {2, 2}, {1, 1}},
};

OpPtr make_transpose(const Case& c, std::string algorithm, Activation f = {}) {
  return std::make_shared<ConvTranspose2d>(
      ConvTranspose2d::Options{c.stride, c.pad, c.output_pad, c.dilation, c.groups, std::move(algorithm), f});
}

std::vector<Tensor> inputs(const Case& c, DType dtype) {
  return {random_tensor({c.x, dtype}, 1), random_tensor({c.w, dtype}, 2),
          random_tensor({{c.w[1] * c.groups}, dtype}, 3)};
}

// The definition, in double precision: each x times each weight goes to one y. Storage is channels-last.
Tensor plain_loops(const Case& c, const std::vector<Tensor>& in, const Shape& y_shape) {
  Tensor y({y_shape, DType::float64});
  auto* const sums = y.view().as<double>();
  const auto& [n_end, c_in, h, width] = std::array{c.x[0], c.x[1], c.x[2], c.x[3]};
  const std::int64_t c_out = y_shape[1], group_in = c_in / c.groups;
  for (std::int64_t i = 0; i < y_shape.numel(); ++i) sums[i] = element(in[2], i % c_out);
  for (std::int64_t n = 0; n < n_end; ++n)
    for (std::int64_t ih = 0; ih < h; ++ih)
      for (std::int64_t iw = 0; iw < width; ++iw)
        for (std::int64_t kh = 0; kh < c.w[2]; ++kh)
          for (std::int64_t kw = 0; kw < c.w[3]; ++kw) {
            const std::int64_t oh = ih * c.stride[0] - c.pad[0] + kh * c.dilation[0];
            const std::int64_t ow = iw * c.stride[1] - c.pad[1] + kw * c.dilation[1];
            if (oh < 0 || oh >= y_shape[2] || ow < 0 || ow >= y_shape[3]) continue;
            for (std::int64_t ci = 0; ci < c_in; ++ci)
              for (std::int64_t co = 0; co < c.w[1]; ++co)
                sums[((n * y_shape[2] + oh) * y_shape[3] + ow) * c_out + ci / group_in * c.w[1] + co] +=
                    element(in[0], ((n * h + ih) * width + iw) * c_in + ci) *
                    element(in[1], ((ci * c.w[2] + kh) * c.w[3] + kw) * c.w[1] + co);
          }
  return y;
}

class ConvTranspose2dCase : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(ConvTranspose2d, ConvTranspose2dCase, ::testing::ValuesIn(cases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(ConvTranspose2dCase, equals_plain_loops) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    OpRunner runner(make_transpose(GetParam(), "auto"), inputs(GetParam(), dtype));
    const Tensor expected = plain_loops(GetParam(), runner.x(), runner.y_spec().shape);
    expect_near(runner.forward(), expected, dtype == DType::float32 ? 1e-5 : 1e-13, "y");
  }
}

TEST_P(ConvTranspose2dCase, algorithms_equal_the_reference) {
  const auto x = inputs(GetParam(), DType::float32);
  const Activation relu{.kind = Activation::Kind::relu};
  OpRunner reference(make_transpose(GetParam(), "reference", relu), x);
  const Tensor y = reference.forward();
  const Tensor dy = random_tensor(reference.y_spec(), 4);
  const auto dx = reference.backward(dy);
  for (const Conv2dAlgorithm<float>* algorithm : conv2d_algorithms<float>()) {
    const std::string name(algorithm->name());
    const OpPtr op = make_transpose(GetParam(), name, relu);
    if (!is_taken(op, {x[0].spec(), x[1].spec(), x[2].spec()})) continue;
    OpRunner runner(op, x);
    expect_near(runner.forward(), y, 1e-5, name + " y");
    const auto gradients = runner.backward(dy);
    for (std::size_t i = 0; i < 3; ++i) expect_near(gradients[i], dx[i], 1e-5, name + " input " + std::to_string(i));
  }
}

TEST_P(ConvTranspose2dCase, gradients_match_finite_differences) {
  const Activation tanh{.kind = Activation::Kind::tanh, .a = 1.7, .b = 0.1};
  expect_gradients_match_finite_differences(make_transpose(GetParam(), "auto", tanh),
                                            inputs(GetParam(), DType::float64), {}, 1e-6, 12);
}

TEST_P(ConvTranspose2dCase, bytes_are_the_same_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(make_transpose(GetParam(), "auto"), inputs(GetParam(), DType::float32));
}

TEST(ConvTranspose2d, computes_only_the_gradients_wanted) {
  const Case c{"", {2, 3, 6, 6}, {3, 4, 3, 3}, {2, 2}};
  OpRunner runner(make_transpose(c, "auto"), inputs(c, DType::float32));
  runner.forward();
  const Tensor dy = random_tensor(runner.y_spec(), 5);
  const auto all = runner.backward(dy);
  for (std::size_t i = 0; i < 3; ++i) {
    std::vector<bool> wanted(3, false);
    wanted[i] = true;
    expect_same_bytes(runner.backward(dy, wanted)[i], all[i], "input " + std::to_string(i));
  }
}

TEST(ConvTranspose2d, an_empty_batch_has_an_empty_output_and_zero_parameter_gradients) {
  const Case c{"", {0, 3, 6, 6}, {3, 4, 3, 3}, {2, 2}};
  OpRunner runner(make_transpose(c, "auto"), inputs(c, DType::float32));
  EXPECT_EQ(runner.forward().spec().shape, (Shape{0, 4, 13, 13}));
  const auto dx = runner.backward(Tensor(runner.y_spec()));
  for (const std::size_t input : {1, 2})
    for (std::int64_t i = 0; i < dx[input].spec().shape.numel(); ++i) ASSERT_EQ(element(dx[input], i), 0);
}

TEST(ConvTranspose2d, describes_itself_and_names_its_algorithms) {
  const std::vector<Spec> x{{{8, 64, 8, 8}}, {{64, 16, 4, 4}}};
  const OpPtr op = make_op("conv_transpose2d", {{"groups", std::int64_t{2}}, {"stride", std::int64_t{2}}});
  EXPECT_EQ(op->infer(x)[0].shape, (Shape{8, 32, 18, 18}));
  EXPECT_EQ(op->describe(x), "ConvTranspose2d 64→32, 4x4, stride=2, groups=2");
  EXPECT_EQ(op->macs(x), 8ll * 64 * 64 * 16 * 16);
  const OpPtr by_im2col = make_op("conv_transpose2d", {{"algorithm", std::string("im2col")}});
  for (const Pass pass : {Pass::forward, Pass::backward})
    for (const AlgorithmChoice& choice : cpu_backend()->make(by_im2col, pass, x)->algorithms())
      EXPECT_EQ(choice.name, "im2col") << choice.part;
  const OpPtr fused = op->fused_with(Activation{.kind = Activation::Kind::relu}, x);
  EXPECT_EQ(fused->describe(x), "ConvTranspose2d 64→32, 4x4, stride=2, groups=2, relu");
  EXPECT_EQ(fused->fused_with(Activation{.kind = Activation::Kind::relu}, x), nullptr);
  EXPECT_EQ(op->fused_with(Activation{.kind = Activation::Kind::square}, x), nullptr);
}

TEST(ConvTranspose2d, refuses_what_does_not_fit_and_says_why) {
  const auto refusal = [](std::vector<Spec> x, const std::string& message) {
    expect_throws<Error>([&] { make_op("conv_transpose2d", {{"pad", std::int64_t{2}}})->infer(x); }, message);
  };
  const Spec x{{8, 64, 8, 8}}, w{{64, 32, 3, 3}};
  refusal({x}, "got 1 input");
  refusal({{{8, 64}}, w}, "rank 2");
  refusal({x, {{64, 32}}}, "weight has rank 2, expected 4 (c_in, c_out/groups, k_h, k_w)");
  refusal({{{8, 32, 8, 8}}, w}, "input has 32 channels, expected 64");
  refusal({{{8, 64, 2, 8}}, w}, "output would have height 0: pad=2 takes away all of it");
  refusal({{{8, 64, 8, 0}}, w}, "input has width 0");
  refusal({x, {{64, 0, 3, 3}}}, "weight is empty");
  refusal({x, {{64, 32, 3, 3}, DType::float64}}, "weight has type float64");
  refusal({x, w, {{64}}}, "bias has shape (64,), expected (32,)");
  const auto make = [](const Attributes& a) { return make_op("conv_transpose2d", a); };
  expect_throws<ShapeError>([&] { make({{"groups", std::int64_t{3}}})->infer(std::vector<Spec>{x, w}); },
                            "64 channels of input can't be divided into 3 groups");
  expect_throws<ValueError>([&] { make({{"groups", std::int64_t{0}}}); }, "groups is 0");
  expect_throws<ValueError>([&] { make({{"output_pad", std::int64_t{2}}, {"stride", std::int64_t{2}}}); },
                            "output_pad is 2, expected at most 1, less than stride or dilation");
  expect_throws<ValueError>([&] { make({{"activation", std::string("square")}}); }, "square");
}

}  // namespace
}  // namespace fastcnn::testing
