// The depthwise algorithm against the reference loops, over shapes that reach each of its paths.
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "conv2d_testing.h"
#include "op_testing.h"
#include "ops/conv2d.h"

namespace fastcnn::testing {
namespace {

struct Case {
  const char* name;
  Shape x;
  Pair kernel;
  Pair stride{1, 1};
  Pair pad{0, 0};
  Pair dilation{1, 1};

  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

// Widths around the tiles of 7, 4 and 1 outputs; channels in whole vectors and in parts of one.
const Case cases[] = {
    {"mobilenet_14", {2, 64, 14, 14}, {3, 3}, {1, 1}, {1, 1}},
    {"mobilenet_7", {3, 160, 7, 7}, {3, 3}, {1, 1}, {1, 1}},
    {"mobilenet_strided", {2, 96, 28, 28}, {3, 3}, {2, 2}, {1, 1}},
    {"odd_strided", {2, 48, 15, 13}, {3, 3}, {2, 2}, {1, 1}},
    {"rows_of_one", {2, 32, 9, 1}, {3, 3}, {1, 1}, {1, 1}},
    {"one_pixel_padded", {2, 16, 1, 1}, {3, 3}, {1, 1}, {1, 1}},
    {"five", {2, 32, 12, 19}, {5, 5}, {1, 1}, {2, 2}},
    {"five_strided", {2, 32, 17, 18}, {5, 5}, {2, 2}, {2, 2}},
    {"no_padding", {1, 16, 11, 25}, {3, 3}},
    {"padding_beyond_kernel", {2, 17, 5, 6}, {3, 3}, {1, 1}, {4, 5}},
    {"parts_of_vectors", {3, 27, 9, 10}, {3, 3}, {1, 1}, {1, 1}},
    {"few_channels", {2, 3, 20, 21}, {3, 3}, {2, 2}, {1, 1}},
    {"seven", {1, 24, 20, 22}, {7, 7}, {1, 1}, {3, 3}},
    {"seven_strided", {1, 24, 21, 20}, {7, 7}, {2, 2}, {3, 3}},
    {"rectangular", {2, 20, 9, 16}, {1, 5}, {2, 1}, {0, 2}},
    {"strides_differ", {2, 33, 19, 23}, {3, 5}, {1, 3}, {1, 0}},
    {"stride_beyond_kernel", {2, 16, 23, 29}, {2, 2}, {5, 3}},
    {"dilated", {2, 20, 19, 17}, {3, 3}, {1, 1}, {2, 2}, {2, 2}},
    {"dilated_strided", {2, 16, 19, 17}, {3, 3}, {2, 2}, {2, 2}, {3, 3}},
    {"dilation_and_stride_share_a_factor", {2, 16, 21, 18}, {3, 3}, {4, 2}, {3, 1}, {2, 2}},
    {"pointwise", {2, 19, 6, 5}, {1, 1}},
    {"many_bands", {9, 40, 37, 41}, {3, 3}, {1, 1}, {1, 1}},
    {"many_channels", {2, 600, 9, 8}, {3, 3}, {2, 2}, {1, 1}},
    {"many_channels_of_one_image", {1, 203, 11, 13}, {3, 3}, {1, 1}, {1, 1}},
    {"many_channels_of_one_row", {1, 700, 1, 9}, {3, 3}, {1, 1}, {1, 1}},
};

OpPtr make(const Case& c, const char* algorithm, Activation f = {}) {
  return std::make_shared<Conv2d>(
      Conv2d::Options{c.stride, c.pad, c.dilation, c.x[1], algorithm, f});
}

std::vector<Tensor> inputs(const Case& c, DType dtype) {
  const Shape w{c.x[1], 1, c.kernel[0], c.kernel[1]};
  return {random_tensor({c.x, dtype}, 1), random_tensor({w, dtype}, 2),
          random_tensor({Shape{c.x[1]}, dtype}, 3)};
}

class EachCase : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Conv2dDepthwise, EachCase, ::testing::ValuesIn(cases),
                         [](const auto& info) { return std::string(info.param.name); });

template <class T>
void expect_reference(const Case& c, double tolerance) {
  const std::vector<Tensor> x = inputs(c, dtype_of<T>);
  for (const Activation f : {Activation{}, Activation{.kind = Activation::Kind::relu6},
                             Activation{.kind = Activation::Kind::tanh}}) {
    OpRunner reference(make(c, "reference", f), x);
    OpRunner runner(make(c, "depthwise", f), x);
    expect_near(runner.forward(), reference.forward(), tolerance, "y");
    const Tensor dy = random_tensor(reference.y_spec(), 4);
    const std::vector<Tensor> expected = reference.backward(dy);
    const std::vector<Tensor> dx = runner.backward(dy);
    expect_near(dx[0], expected[0], tolerance, "dx");
    expect_near(dx[1], expected[1], tolerance, "dw");
    expect_near(dx[2], expected[2], tolerance, "db");
  }
}

TEST_P(EachCase, EqualsTheReference) {
  expect_reference<float>(GetParam(), 3e-6);
  expect_reference<double>(GetParam(), 1e-14);
}

TEST_P(EachCase, BytesAreTheSameAtAnyThreadCount) {
  expect_same_bytes_at_any_thread_count(make(GetParam(), "depthwise"), inputs(GetParam(), DType::float32));
}

TEST(Conv2dDepthwise, AddsBiasAndResidualBeforeTheActivation) {
  for (const std::int64_t channels : {37, 411}) {  // as a whole, and in blocks
    Conv2dProblem p;
    static_cast<Windows2d&>(p) = {.h_in = 9, .w_in = 10, .h_out = 9, .w_out = 10, .k_h = 3, .k_w = 3, .pad_h = 1, .pad_w = 1};
    p.n = 2;
    p.c_in = p.c_out = p.groups = channels;
    const Spec image{{p.n, p.c_in, p.h_in, p.w_in}};
    const Tensor x = random_tensor(image, 1, 0, 9), residual = random_tensor(image, 2);
    const Tensor w = random_tensor({{p.c_in, 1, 3, 3}}, 3), bias = random_tensor({{p.c_in}}, 4);
    Tensor expected(image), y(image);
    Tensor prepared({{p.weights()}});
    const auto data = [](const Tensor& t) { return static_cast<float*>(t.data()); };
    const GemmEpilogue<float> epilogue{
        .bias = data(bias), .residual = data(residual), .activation = {.kind = Activation::Kind::relu6}};
    conv2d_reference<float>().forward(p, data(x), data(w), epilogue, data(expected), {});
    conv2d_depthwise<float>().prepare(p, Conv2dPass::forward, data(w), data(prepared));
    conv2d_depthwise<float>().forward(p, data(x), data(prepared), epilogue, data(y), {});
    expect_near(y, expected, 1e-6, std::to_string(channels) + " channels");
  }
}

TEST(Conv2dDepthwise, IsChosenForItsOwnProblemsAlone) {
  const auto choice = [](std::int64_t groups, Shape w) {
    const OpPtr op = std::make_shared<Conv2d>(Conv2d::Options{.pad = {1, 1}, .groups = groups, .activation = {}});
    const std::vector<Spec> x{{{2, 8, 9, 9}}, {w}};
    return cpu_backend()->make(op, Pass::forward, x)->algorithms().at(0);
  };
  using Reason = std::pair<std::string, std::string>;
  EXPECT_EQ(choice(8, {8, 1, 3, 3}).name, "depthwise");
  EXPECT_EQ(choice(8, {16, 1, 3, 3}).passed_over.at(0), Reason("depthwise", "there are several outputs of a channel"));
  EXPECT_EQ(choice(4, {8, 2, 3, 3}).passed_over.at(0), Reason("depthwise", "groups != channels"));
}

}  // namespace
}  // namespace fastcnn::testing
