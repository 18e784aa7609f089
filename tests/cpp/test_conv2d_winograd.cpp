// Winograd's convolutions against the reference loops on shapes that reach every way they are cut, and their
// rounding errors against float64 on layers of networks.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "conv2d_testing.h"
#include "core/error.h"
#include "op_testing.h"
#include "ops/conv2d.h"

namespace fastcnn {
namespace {

using testing::element;
using testing::expect_near;
using testing::OpRunner;
using testing::random_tensor;

const char* const names[] = {"winograd_4x3", "winograd_2x3", "winograd_4x5", "winograd_2x5"};

std::int64_t kernel_of(const std::string& name) { return name.ends_with("x5") ? 5 : 3; }

// Of rounding errors, by the points of the transforms: backend/cpu/generic/winograd_points.h.
double growth_of(const std::string& name) { return name == "winograd_4x5" ? 4 : 1; }

struct Case {
  const char* name;
  Shape x;
  std::int64_t c_out;
  Pair pad{1, 1};
  std::int64_t groups = 1;

  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

const Case cases[] = {
    {"one_pixel", {1, 3, 1, 1}, 4, {2, 2}},
    {"one_channel", {2, 1, 9, 8}, 1},
    {"two_pixels_wide", {3, 5, 11, 2}, 7, {1, 2}},
    {"no_pad", {2, 6, 7, 9}, 5, {0, 0}},
    {"no_pad_many_images", {37, 20, 12, 12}, 50, {0, 0}},
    {"no_pad_groups", {5, 38, 11, 10}, 34, {0, 0}, 2},
    {"wide_pad", {1, 4, 6, 5}, 3, {6, 7}},
    {"pad_of_one_axis", {1, 5, 8, 13}, 6, {0, 3}},
    {"prime_sizes", {3, 7, 13, 11}, 17},
    {"a_vector_and_one", {2, 17, 10, 14}, 33, {2, 2}},
    {"groups", {2, 21, 9, 10}, 15, {2, 2}, 3},
    {"depthwise", {1, 19, 8, 7}, 19, {2, 2}, 19},
    {"many_groups_of_few_tiles", {1, 192, 7, 7}, 192, {1, 1}, 192},
    {"many_tiles", {5, 8, 37, 43}, 40, {2, 2}},
    {"many_tiles_groups", {5, 16, 37, 43}, 24, {2, 2}, 2},
    {"many_channels", {2, 260, 7, 9}, 130, {2, 2}},
    {"many_channels_groups", {1, 400, 5, 6}, 260, {2, 2}, 2},
#ifndef FASTCNN_SLOW  // where it takes minutes
    {"several_shared_blocks", {40, 192, 11, 12}, 160, {2, 2}},
#endif
};

Tensor with_shape(const Shape& shape, DType dtype, unsigned seed) { return random_tensor({shape, dtype}, seed); }

std::vector<Tensor> inputs(const Case& c, std::int64_t kernel, DType dtype) {
  return {with_shape(c.x, dtype, 1), with_shape({c.c_out, c.x[1] / c.groups, kernel, kernel}, dtype, 2),
          with_shape({c.c_out}, dtype, 3)};
}

OpPtr make_conv(Pair pad, std::int64_t groups, std::string algorithm, Activation f = {}) {
  return std::make_shared<Conv2d>(Conv2d::Options{{1, 1}, pad, {1, 1}, groups, std::move(algorithm), f});
}

bool fits(const Case& c, std::int64_t kernel) {
  return c.x[2] + 2 * c.pad[0] >= kernel && c.x[3] + 2 * c.pad[1] >= kernel;
}

class EachCase : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Conv2dWinograd, EachCase, ::testing::ValuesIn(cases),
                         [](const auto& info) { return std::string(info.param.name); });

void expect_equals(const Case& c, const std::string& name, const std::string& expected, DType dtype, double tolerance) {
  const std::vector<Tensor> x = inputs(c, kernel_of(name), dtype);
  tolerance *= growth_of(name);
  const Activation tanh{.kind = Activation::Kind::tanh, .a = 1.7, .b = 0.1};
  OpRunner reference(make_conv(c.pad, c.groups, expected, tanh), x);
  OpRunner winograd(make_conv(c.pad, c.groups, name, tanh), x);
  expect_near(winograd.forward(), reference.forward(), tolerance, name + " y");
  const Tensor dy = random_tensor(reference.y_spec(), 4);
  const std::vector<Tensor> dx = reference.backward(dy);
  const std::vector<Tensor> gradients = winograd.backward(dy);
  expect_near(gradients[0], dx[0], tolerance, name + " dx");
  expect_near(gradients[1], dx[1], tolerance, name + " dw");
}

bool is_large(const Case& c) { return c.x.numel() * c.c_out > 4'000'000; }

// im2col stands in for the reference, which it is tested against, where that would take seconds.
std::string reference_for(const Case& c) { return is_large(c) ? "im2col" : "reference"; }

TEST_P(EachCase, EqualsReferenceInFloat32) {
  for (const char* name : names) {
    if (fits(GetParam(), kernel_of(name)))
      expect_equals(GetParam(), name, reference_for(GetParam()), DType::float32, 2e-5);
  }
}

TEST_P(EachCase, EqualsReferenceInFloat64) {
  if (is_large(GetParam())) GTEST_SKIP() << "float32 covers it";
  for (const char* name : names) {
    if (fits(GetParam(), kernel_of(name)))
      expect_equals(GetParam(), name, reference_for(GetParam()), DType::float64, 1e-13);
  }
}

TEST_P(EachCase, BytesAreTheSameAtAnyThreadCount) {
  for (const char* name : names) {
    if (!fits(GetParam(), kernel_of(name))) continue;
    if (is_large(GetParam()) && name != names[0]) continue;  // they are cut alike
    testing::expect_same_bytes_at_any_thread_count(make_conv(GetParam().pad, GetParam().groups, name),
                                                   inputs(GetParam(), kernel_of(name), DType::float32));
  }
}

// Layers of AlexNet, VGG-11 and ResNet-18 that are not strided, with small batches.
struct Layer {
  const char* name;
  Shape x;
  std::int64_t c_out;
  std::int64_t kernel = 3;
  std::int64_t groups = 1;

  friend void PrintTo(const Layer& layer, std::ostream* out) { *out << layer.name; }
};

const Layer layers[] = {
    {"alexnet_conv2", {2, 96, 27, 27}, 256, 5, 2}, {"alexnet_conv3", {4, 256, 13, 13}, 384},
    {"alexnet_conv4", {4, 384, 13, 13}, 384, 3, 2}, {"alexnet_conv5", {4, 384, 13, 13}, 256, 3, 2},
    {"vgg11_conv1", {1, 3, 224, 224}, 64},         {"vgg11_conv2", {1, 64, 112, 112}, 128},
    {"vgg11_conv3", {1, 128, 56, 56}, 256},        {"vgg11_conv6", {1, 512, 28, 28}, 512},
    {"vgg11_conv7", {2, 512, 14, 14}, 512},        {"resnet18_layer1", {2, 64, 56, 56}, 64},
    {"resnet18_layer2", {2, 128, 28, 28}, 128},    {"resnet18_layer3", {4, 256, 14, 14}, 256},
    {"resnet18_layer4", {8, 512, 7, 7}, 512},
};

Tensor normal_tensor(const Spec& spec, unsigned seed, double deviation, bool rectified) {
  Tensor tensor(spec);
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal(0, deviation);
  auto* values = static_cast<float*>(tensor.data());
  for (std::int64_t i = 0; i < spec.shape.numel(); ++i) {
    const double value = normal(generator);
    values[i] = static_cast<float>(rectified ? std::max(value, 0.0) : value);
  }
  return tensor;
}

Tensor as_float64(const Tensor& tensor) {
  Tensor wide({tensor.spec().shape, DType::float64});
  for (std::int64_t i = 0; i < tensor.spec().shape.numel(); ++i)
    static_cast<double*>(wide.data())[i] = element(tensor, i);
  return wide;
}

// The largest error, relative to the largest value.
double relative_error(const Tensor& actual, const Tensor& expected) {
  double error = 0;
  double largest = 0;
  for (std::int64_t i = 0; i < expected.spec().shape.numel(); ++i) {
    error = std::max(error, std::abs(element(actual, i) - element(expected, i)));
    largest = std::max(largest, std::abs(element(expected, i)));
  }
  return error / largest;
}

class EachLayer : public ::testing::TestWithParam<Layer> {};
INSTANTIATE_TEST_SUITE_P(Conv2dWinograd, EachLayer, ::testing::ValuesIn(layers),
                         [](const auto& info) { return std::string(info.param.name); });

// Activations behind a ReLU, weights by He et al. (2015). The bounds are a few times what was measured, and less
// than the 5e-5 that is promised.
TEST_P(EachLayer, ErrorsAreSmall) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "rounding is the same under a sanitizer, at twenty times the time";
#endif
  const Layer& layer = GetParam();
  const std::int64_t group_in = layer.x[1] / layer.groups;
  const Pair pad{layer.kernel / 2, layer.kernel / 2};
  const double he = std::sqrt(2.0 / static_cast<double>(group_in * layer.kernel * layer.kernel));
  const std::vector<Tensor> x{normal_tensor({layer.x}, 1, 1.0, true),
                              normal_tensor({{layer.c_out, group_in, layer.kernel, layer.kernel}}, 2, he, false)};
  OpRunner exact(make_conv(pad, layer.groups, "im2col"), {as_float64(x[0]), as_float64(x[1])});
  const Tensor y = exact.forward();
  const Tensor dy = normal_tensor({y.spec().shape}, 3, 1.0, false);
  const std::vector<Tensor> dx = exact.backward(as_float64(dy));
  for (const std::string name : names) {
    if (kernel_of(name) != layer.kernel) continue;
    const double bound = 5e-6 * growth_of(name);
    OpRunner winograd(make_conv(pad, layer.groups, name), x);
    EXPECT_LT(relative_error(winograd.forward(), y), bound) << name << " y";
    const std::vector<Tensor> gradients = winograd.backward(dy);
    EXPECT_LT(relative_error(gradients[0], dx[0]), bound) << name << " dx";
    EXPECT_LT(relative_error(gradients[1], dx[1]), bound) << name << " dw";
  }
}

Conv2dProblem problem(const Shape& x, std::int64_t c_out, std::int64_t kernel, std::int64_t pad,
                      std::int64_t groups = 1) {
  Conv2dProblem p;
  static_cast<Windows2d&>(p) = slide({.kernel = {kernel, kernel}, .pad = {pad, pad}}, x);
  p.n = x[0];
  p.c_in = x[1];
  p.c_out = c_out;
  p.groups = groups;
  return p;
}

const Conv2dAlgorithm<float>& algorithm_named(const std::string& name) {
  const auto all = conv2d_algorithms<float>();
  return **std::ranges::find_if(all, [&](const auto* algorithm) { return algorithm->name() == name; });
}

std::vector<float> forward(const std::string& name, const Conv2dProblem& p, const GemmEpilogue<float>& epilogue) {
  const auto& algorithm = algorithm_named(name);
  const Tensor x = random_tensor({{p.n, p.c_in, p.h_in, p.w_in}}, 1);
  const Tensor w = random_tensor({{p.c_out, p.group_in(), p.k_h, p.k_w}}, 2);
  const auto* weights = static_cast<const float*>(w.data());
  std::vector<float> prepared(static_cast<std::size_t>(algorithm.prepared_elements(p, Conv2dPass::forward)));
  if (!prepared.empty()) {
    algorithm.prepare(p, Conv2dPass::forward, weights, prepared.data());
    weights = prepared.data();
  }
  const ScratchSize size = algorithm.scratch(p, Conv2dPass::forward);
  const std::size_t stride = align_up(size.per_thread);
  const Buffer shared = allocate(size.shared);
  const Buffer per_thread = allocate(stride * static_cast<std::size_t>(num_threads().threads));
  std::vector<float> y(static_cast<std::size_t>(p.pixels() * p.c_out));
  algorithm.forward(p, static_cast<const float*>(x.data()), weights, epilogue, y.data(),
                    {shared.get(), per_thread.get(), stride});
  return y;
}

TEST(Conv2dWinograd, AppliesBiasResidualAndActivation) {
  for (const auto& [x, groups] : {std::pair{Shape{2, 34, 13, 11}, std::int64_t{2}}, {Shape{3, 8, 41, 43}, 1}}) {
    for (const char* name : names) {
      const Conv2dProblem p = problem(x, 2 * 19, kernel_of(name), 2, groups);
      const Tensor bias = random_tensor({{p.c_out}}, 3);
      const Tensor residual = random_tensor({{p.n, p.c_out, p.h_out, p.w_out}}, 4);
      for (const auto kind : {Activation::Kind::identity, Activation::Kind::relu, Activation::Kind::sigmoid,
                              Activation::Kind::tanh, Activation::Kind::linear}) {
        const GemmEpilogue<float> epilogue{.bias = static_cast<const float*>(bias.data()),
                                       .residual = static_cast<const float*>(residual.data()),
                                       .activation = {.kind = kind, .a = 1.5, .b = 0.5}};
        const std::vector<float> y = forward(name, p, epilogue);
        const std::vector<float> expected = forward("reference", p, epilogue);
        for (std::size_t i = 0; i < y.size(); ++i) {
          ASSERT_NEAR(y[i], expected[i], 1e-4 * growth_of(name)) << name << ", activation " << static_cast<int>(kind);
        }
      }
    }
  }
}

TEST(Conv2dWinograd, NanStaysWhereItsTilesReach) {
  const Conv2dProblem p = problem({1, 3, 12, 12}, 4, 3, 1);
  const std::vector<float> bias{NAN, 0, 0, 0};
  const std::vector<float> y =
      forward("winograd_4x3", p, {.bias = bias.data(), .activation = {.kind = Activation::Kind::relu}});
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isnan(y[i]), i % 4 == 0);
}

TEST(Conv2dWinograd, SaysWhatItDoesNotDo) {
  const auto refusal = [](const char* name, const Conv2dProblem& p) {
    return algorithm_named(name).refusal(p, Conv2dPass::forward);
  };
  const Conv2dProblem three = problem({1, 4, 9, 9}, 4, 3, 1);
  const Conv2dProblem five = problem({1, 4, 9, 9}, 4, 5, 1);
  EXPECT_EQ(refusal("winograd_4x3", three), "");
  EXPECT_EQ(refusal("winograd_2x3", three), "");
  EXPECT_EQ(refusal("winograd_4x5", five), "");
  EXPECT_EQ(refusal("winograd_2x5", five), "");
  EXPECT_EQ(refusal("winograd_4x3", five), "kernel is not 3x3");
  EXPECT_EQ(refusal("winograd_2x5", three), "kernel is not 5x5");
  Conv2dProblem strided = three;
  strided.stride_w = 2;
  EXPECT_EQ(refusal("winograd_2x3", strided), "stride is not 1");
  Conv2dProblem dilated = five;
  dilated.dilation_h = 2;
  EXPECT_EQ(refusal("winograd_2x5", dilated), "dilation is not 1");
}

TEST(Conv2dWinograd, ScratchIsAFractionOfTheTransformedTensors) {
  const Conv2dProblem p = problem({16, 256, 56, 56}, 256, 3, 1);
  const std::size_t transformed = std::size_t{2} * 36 * 16 * 14 * 14 * 256 * sizeof(float);  // input and output
  for (const Conv2dPass pass : conv2d_passes) {
    const ScratchSize size = algorithm_named("winograd_4x3").scratch(p, pass);
    EXPECT_LT(size.shared + 8 * size.per_thread, transformed / 6);
  }
}

}  // namespace
}  // namespace fastcnn
