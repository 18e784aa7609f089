// Every algorithm against the reference loops; the reference by hand-made cases and finite differences.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <ostream>
#include <string>
#include <vector>

#include "conv2d_testing.h"
#include "op_testing.h"
#include "ops/conv2d.h"
#include "ops/registry.h"

namespace fastcnn {
namespace {

using testing::expect_near;
using testing::is_taken;
using testing::OpRunner;
using testing::random_tensor;

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
    {"one_pixel", {1, 1, 1, 1}, {1, 1, 1, 1}},
    {"one_pixel_padded", {2, 3, 1, 1}, {4, 3, 3, 3}, {1, 1}, {1, 1}},
    {"lenet_conv2", {2, 20, 12, 12}, {50, 20, 5, 5}},
    {"alexnet_conv1_small", {2, 3, 35, 31}, {16, 3, 11, 11}, {4, 4}},
    {"alexnet_conv2_groups", {2, 12, 13, 13}, {14, 6, 5, 5}, {1, 1}, {2, 2}, {1, 1}, 2},
    {"vgg_3x3", {1, 17, 29, 23}, {19, 17, 3, 3}, {1, 1}, {1, 1}},
    {"many_chunks", {9, 16, 37, 41}, {8, 16, 3, 3}, {1, 1}, {1, 1}},
    {"many_chunks_groups_strided", {9, 16, 37, 41}, {8, 8, 3, 3}, {2, 2}, {1, 1}, {1, 1}, 2},
    {"strided", {3, 5, 17, 19}, {7, 5, 3, 3}, {2, 2}, {1, 1}},
    {"stride_beyond_kernel", {2, 3, 23, 29}, {5, 3, 2, 2}, {5, 3}},
    {"prime_sizes", {3, 7, 13, 11}, {5, 7, 3, 5}, {2, 3}, {1, 2}},
    {"dilated", {2, 4, 19, 17}, {6, 4, 3, 3}, {1, 1}, {2, 2}, {2, 2}},
    {"dilated_strided", {2, 4, 19, 17}, {6, 4, 3, 2}, {2, 1}, {3, 1}, {3, 2}},
    {"rectangular_kernel", {2, 3, 9, 21}, {4, 3, 1, 7}, {1, 2}, {0, 3}},
    {"pad_beyond_kernel", {2, 3, 5, 4}, {4, 3, 2, 2}, {1, 1}, {4, 3}},
    {"pad_beyond_kernel_strided", {2, 3, 5, 4}, {4, 3, 3, 2}, {3, 2}, {7, 5}},
    {"depthwise", {2, 10, 9, 9}, {10, 1, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 10},
    {"depthwise_multiplier", {2, 5, 9, 9}, {15, 1, 3, 3}, {2, 2}, {1, 1}, {1, 1}, 5},
    {"pointwise", {3, 33, 7, 9}, {21, 33, 1, 1}},
    {"pointwise_groups", {3, 32, 7, 9}, {20, 8, 1, 1}, {1, 1}, {0, 0}, {1, 1}, 4},
    {"pointwise_strided", {3, 33, 7, 9}, {21, 33, 1, 1}, {2, 2}},
    {"pointwise_padded", {1, 3, 4, 4}, {2, 3, 1, 1}, {1, 1}, {1, 1}},
    {"whole_image_kernel", {4, 6, 8, 8}, {10, 6, 8, 8}},
    {"deep", {1, 130, 9, 9}, {70, 130, 3, 3}, {1, 1}, {1, 1}},
    {"large_dw_groups", {2, 1030, 3, 5}, {518, 515, 1, 1}, {1, 1}, {0, 0}, {1, 1}, 2},
    {"large_dw_strided", {1, 520, 5, 7}, {263, 520, 2, 2}, {2, 2}},
    {"one_row_images", {5, 4, 1, 100}, {6, 4, 1, 5}, {1, 1}, {0, 2}},
    {"tall_strided", {1, 3, 211, 5}, {4, 3, 3, 3}, {2, 1}, {1, 1}},
};

OpPtr make_conv(const Case& c, std::string algorithm, Activation f = {}) {
  return std::make_shared<Conv2d>(
      Conv2d::Options{c.stride, c.pad, c.dilation, c.groups, std::move(algorithm), f});
}

std::vector<Tensor> inputs(const Case& c, DType dtype) {
  return {random_tensor({c.x, dtype}, 1), random_tensor({c.w, dtype}, 2),
          random_tensor({Shape{c.w[0]}, dtype}, 3)};
}

class EachCase : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Conv2d, EachCase, ::testing::ValuesIn(cases),
                         [](const auto& info) { return std::string(info.param.name); });

template <class T>
void expect_algorithms_equal_reference(const Case& c, double tolerance) {
  const std::vector<Tensor> x = inputs(c, dtype_of<T>);
  const Activation relu{.kind = Activation::Kind::relu};
  OpRunner reference(make_conv(c, "reference", relu), x);
  const Tensor y = reference.forward();
  const Tensor dy = random_tensor(reference.y_spec(), 4);
  const std::vector<Tensor> dx = reference.backward(dy);
  for (const Conv2dAlgorithm<T>* algorithm : conv2d_algorithms<T>()) {
    const std::string name(algorithm->name());
    OpPtr op = make_conv(c, name, relu);
    if (!is_taken(op, {x[0].spec(), x[1].spec(), x[2].spec()})) continue;
    OpRunner runner(op, x);
    expect_near(runner.forward(), y, tolerance, name + " y");
    const std::vector<Tensor> gradients = runner.backward(dy);
    expect_near(gradients[0], dx[0], tolerance, name + " dx");
    expect_near(gradients[1], dx[1], tolerance, name + " dw");
    expect_near(gradients[2], dx[2], tolerance, name + " db");
  }
}

TEST_P(EachCase, AlgorithmsEqualReferenceInFloat32) {
  expect_algorithms_equal_reference<float>(GetParam(), 1e-5);
}
TEST_P(EachCase, AlgorithmsEqualReferenceInFloat64) {
  expect_algorithms_equal_reference<double>(GetParam(), 1e-13);
}

TEST_P(EachCase, AlgorithmsAddAResidualBeforeTheActivation) {
  std::vector<Tensor> x = inputs(GetParam(), DType::float32);
  const std::vector<Spec> specs{x[0].spec(), x[1].spec(), x[2].spec()};
  const Tensor plain = OpRunner(make_conv(GetParam(), "reference"), x).forward();
  const Tensor residual = random_tensor(plain.spec(), 5);
  const Tensor expected(plain.spec());
  for (std::int64_t i = 0; i < plain.spec().shape.numel(); ++i) {
    const float sum = plain.view().as<float>()[i] + residual.view().as<float>()[i];
    expected.view().as<float>()[i] = std::max(sum, 0.0f);
  }
  x.push_back(residual);
  for (const Conv2dAlgorithm<float>* algorithm : conv2d_algorithms<float>()) {
    const OpPtr op = make_conv(GetParam(), std::string(algorithm->name()));
    if (!is_taken(op, specs)) continue;
    const OpPtr sum = op->fused_with(ResidualAdd{}, specs);
    const OpPtr fused = sum->fused_with(Activation{.kind = Activation::Kind::relu}, specs);
    expect_near(OpRunner(fused, x).forward(), expected, 1e-5, std::string(algorithm->name()));
  }
}

TEST(Conv2d, TakesAResidualOnceAndNotBehindAnActivation) {
  const std::vector<Spec> x{{{1, 2, 3, 3}}, {{4, 2, 3, 3}}, {{4}}};
  const OpPtr plain = std::make_shared<Conv2d>(Conv2d::Options{});
  EXPECT_EQ(plain->fused_with(ResidualAdd{}, Specs(x.data(), 2)), nullptr);  // b has no place
  const OpPtr sum = plain->fused_with(ResidualAdd{}, x);
  const std::vector<Spec> with_residual{x[0], x[1], x[2], {{1, 4, 1, 1}}};
  EXPECT_EQ(sum->infer(with_residual)[0].shape, (Shape{1, 4, 1, 1}));
  EXPECT_EQ(sum->describe(with_residual), "Conv2d 2→4, 3x3, add");
  EXPECT_EQ(sum->fused_with(ResidualAdd{}, with_residual), nullptr);
  EXPECT_EQ(sum->fused_with(ChannelNorm{1e-5}, with_residual), nullptr);
  const OpPtr with_relu = plain->fused_with(Activation{.kind = Activation::Kind::relu}, x);
  EXPECT_EQ(with_relu->fused_with(ResidualAdd{}, x), nullptr);
}

TEST_P(EachCase, GradientsMatchFiniteDifferences) {
  const std::vector<Tensor> x = inputs(GetParam(), DType::float64);
  const Activation tanh{.kind = Activation::Kind::tanh, .a = 1.7, .b = 0.1};
  testing::expect_gradients_match_finite_differences(make_conv(GetParam(), "auto", tanh), x, {}, 1e-6, 12);
}

TEST_P(EachCase, BytesAreTheSameAtAnyThreadCount) {
  testing::expect_same_bytes_at_any_thread_count(make_conv(GetParam(), "auto"),
                                                 inputs(GetParam(), DType::float32));
}

TEST(Conv2d, SumsProductsOfTheWindowWithoutTurningTheKernelRound) {
  Tensor x({{1, 1, 2, 3}});
  Tensor w({{1, 1, 1, 2}});
  std::copy_n(std::array{1.f, 2.f, 3.f, 4.f, 5.f, 6.f}.data(), 6, static_cast<float*>(x.data()));
  std::copy_n(std::array{10.f, 1.f}.data(), 2, static_cast<float*>(w.data()));
  OpRunner runner(std::make_shared<Conv2d>(Conv2d::Options{}), {x, w});
  const Tensor& y = runner.forward();
  EXPECT_EQ(y.spec().shape, (Shape{1, 1, 2, 2}));
  EXPECT_EQ(testing::element(y, 0), 12);
  EXPECT_EQ(testing::element(y, 1), 23);
  EXPECT_EQ(testing::element(y, 2), 45);
  EXPECT_EQ(testing::element(y, 3), 56);
}

TEST(Conv2d, ComputesOnlyTheGradientsWanted) {
  const Case c{"", {2, 3, 8, 8}, {4, 3, 3, 3}};
  OpRunner runner(make_conv(c, "auto"), inputs(c, DType::float32));
  runner.forward();
  const Tensor dy = random_tensor(runner.y_spec(), 5);
  const std::vector<Tensor> all = runner.backward(dy);
  for (std::size_t i = 0; i < 3; ++i) {
    std::vector<bool> wanted(3, false);
    wanted[i] = true;
    testing::expect_same_bytes(runner.backward(dy, wanted)[i], all[i], "input " + std::to_string(i));
  }
}

TEST(Conv2d, EmptyBatchHasEmptyOutputAndZeroParameterGradients) {
  const Case c{"", {0, 3, 8, 8}, {4, 3, 3, 3}};
  OpRunner runner(make_conv(c, "auto"), inputs(c, DType::float32));
  EXPECT_EQ(runner.forward().spec().shape, (Shape{0, 4, 6, 6}));
  const std::vector<Tensor> dx = runner.backward(Tensor(runner.y_spec()));
  for (std::int64_t i = 0; i < dx[1].spec().shape.numel(); ++i) ASSERT_EQ(testing::element(dx[1], i), 0);
  for (std::int64_t i = 0; i < 4; ++i) ASSERT_EQ(testing::element(dx[2], i), 0);
}

TEST(Conv2d, DescribesItselfWithWhatIsNotDefault) {
  const std::vector<Spec> x{{{8, 96, 27, 27}}, {{256, 48, 5, 5}}};
  EXPECT_EQ(make_op("conv2d", {{"groups", std::int64_t{2}}, {"pad", std::int64_t{2}}})->describe(x),
            "Conv2d 96→256, 5x5, pad=2, groups=2");
  EXPECT_EQ(
      make_op("conv2d", {{"stride", std::vector<std::int64_t>{2, 1}}, {"activation", std::string("relu")}})
          ->describe(x),
      "Conv2d 48→256, 5x5, stride=2x1, relu");
}

TEST(Conv2d, CountsMultiplyAddsAndNamesItsAlgorithm) {
  const std::vector<Spec> x{{{8, 96, 27, 27}}, {{256, 48, 5, 5}}};
  const OpPtr op = make_op("conv2d", {{"groups", std::int64_t{2}}, {"pad", std::int64_t{2}}});
  EXPECT_EQ(op->macs(x), 8ll * 27 * 27 * 256 * 48 * 25);
  const AlgorithmChoice forward = cpu_backend()->make(op, Pass::forward, x)->algorithms().at(0);
  EXPECT_EQ(forward.part, "forward");
  EXPECT_EQ(forward.name, "winograd_4x5");
  const std::pair<std::string, std::string> pointwise{"pointwise", "kernel is not 1x1"};
  EXPECT_NE(std::ranges::find(forward.passed_over, pointwise), forward.passed_over.end());
  const std::vector<AlgorithmChoice> backward = cpu_backend()->make(op, Pass::backward, x)->algorithms();
  ASSERT_EQ(backward.size(), 2U);
  EXPECT_EQ(backward[0].part, "backward_data");
  EXPECT_EQ(backward[1].part, "backward_weights");
}

TEST(Conv2d, TakesAnActivationOnce) {
  const OpPtr op = make_op("conv2d", {});
  const std::vector<Spec> x{{{1, 2, 3, 3}}, {{4, 2, 3, 3}}};
  const OpPtr fused = op->fused_with(Activation{.kind = Activation::Kind::relu}, x);
  ASSERT_NE(fused, nullptr);
  EXPECT_EQ(fused->fused_with(Activation{.kind = Activation::Kind::relu}, x), nullptr);
  EXPECT_EQ(op->fused_with(Activation{.kind = Activation::Kind::square}, x), nullptr);
}

template <class Error>
void expect_refusal(const Attributes& attributes, const std::vector<Spec>& x, const std::string& message) {
  testing::expect_throws<Error>(
      [&] {
        const OpPtr op = make_op("conv2d", attributes);
        op->infer(x);
        cpu_backend()->make(op, Pass::forward, x);
      },
      message);
}

TEST(Conv2d, RefusesInputsThatDontFitAndSaysWhy) {
  const Spec x{{8, 64, 27, 27}};
  const Spec w{{256, 48, 5, 5}};
  expect_refusal<ShapeError>({{"groups", std::int64_t{2}}}, {x, w}, "input has 64 channels, expected 96");
  expect_refusal<ShapeError>({}, {x, {{4, 1, 3, 3}}}, "input has 64 channels, expected 1");
  expect_refusal<ShapeError>({{"groups", std::int64_t{3}}}, {x, w},
                             "256 channels of output can't be divided into 3");
  expect_refusal<ShapeError>({}, {{{8, 64}}, w}, "rank 2");
  expect_refusal<ShapeError>({}, {x, {{256, 64}}}, "weight has rank 2");
  expect_refusal<ShapeError>({}, {x}, "got 1 input");
  expect_refusal<DTypeError>({}, {x, {{256, 64, 5, 5}, DType::float64}}, "weight has type float64");
  expect_refusal<DTypeError>({}, {{{8, 64, 27, 27}, DType::int64}, w}, "int64");
  expect_refusal<ShapeError>({}, {x, {{256, 64, 5, 5}}, {{255}}}, "bias has shape (255,), expected (256,)");
  expect_refusal<ShapeError>({{"dilation", std::int64_t{9}}}, {x, {{256, 64, 5, 5}}},
                             "kernel of 5 dilated to 37 is larger than the input of 27 along the height");
  expect_refusal<ShapeError>({{"pad", std::int64_t{1}}}, {{{1, 1, 9, 3}}, {{1, 1, 5, 6}}},
                             "kernel of 6 is larger than the input of 3 padded to 5 along the width");
  expect_refusal<ShapeError>({}, {{{1, 0, 3, 3}}, {{4, 0, 3, 3}}}, "weight is empty");
}

TEST(Conv2d, RefusesAttributesThatMakeNoSense) {
  const Spec x{{8, 64, 27, 27}};
  const Spec w{{256, 64, 5, 5}};
  expect_refusal<ValueError>({{"algorithm", std::string("magic")}}, {x, w}, "unknown convolution algorithm \"magic\"");
  expect_refusal<ValueError>({{"algorithm", std::string("pointwise")}}, {x, w}, "kernel is not 1x1");
  expect_refusal<ValueError>({{"groups", std::int64_t{0}}}, {x, w}, "groups is 0");
  expect_refusal<ValueError>({{"stride", std::int64_t{0}}}, {x, w}, "stride");
  expect_refusal<ValueError>({{"pad", std::int64_t{1} << 40}}, {x, w}, "pad");
  expect_refusal<ValueError>({{"activation", std::string("square")}}, {x, w}, "square");
}

}  // namespace
}  // namespace fastcnn
