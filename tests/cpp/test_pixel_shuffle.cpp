#include "ops/pixel_shuffle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "graph_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

using enum PixelShuffle::Order;

OpPtr pixel_shuffle(std::int64_t factor, PixelShuffle::Order order = crd, bool inverse = false) {
  return std::make_shared<PixelShuffle>(factor, order, inverse);
}

// Element (n, c, h, w) of a tensor stored channels-last.
double at(const Tensor& t, std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) {
  const Shape& s = t.spec().shape;
  return element(t, ((n * s[2] + h) * s[3] + w) * s[1] + c);
}

TEST(PixelShuffle, takes_pixels_from_their_channels) {
  for (const std::int64_t f : {1, 2, 3})
    for (const PixelShuffle::Order order : {crd, dcr})
      for (const std::int64_t channels : {1, 2, 5}) {
        const Tensor x = random_tensor({{2, channels * f * f, 3, 5}}, 1);
        const Tensor y = OpRunner(pixel_shuffle(f, order), {x}).forward();
        ASSERT_EQ(y.spec().shape, (Shape{2, channels, 3 * f, 5 * f}));
        for (std::int64_t n = 0; n < 2; ++n)
          for (std::int64_t c = 0; c < channels; ++c)
            for (std::int64_t h = 0; h < 3 * f; ++h)
              for (std::int64_t w = 0; w < 5 * f; ++w) {
                const std::int64_t place = h % f * f + w % f;
                const std::int64_t channel = order == crd ? c * f * f + place : place * channels + c;
                ASSERT_EQ(at(y, n, c, h, w), at(x, n, channel, h / f, w / f)) << f << ", channel " << c;
              }
        expect_same_bytes(OpRunner(pixel_shuffle(f, order, true), {y}).forward(), x, "back");
      }
}

// A tensor that has the values in the order of its indices, the last axis fastest.
Tensor of_indices(const Shape& shape, const std::vector<double>& values) {
  Tensor tensor{Spec{shape}};
  std::size_t i = 0;
  for (std::int64_t n = 0; n < shape[0]; ++n)
    for (std::int64_t c = 0; c < shape[1]; ++c)
      for (std::int64_t h = 0; h < shape[2]; ++h)
        for (std::int64_t w = 0; w < shape[3]; ++w)
          static_cast<float*>(tensor.data())[((n * shape[2] + h) * shape[3] + w) * shape[1] + c] =
              static_cast<float>(values[i++]);
  return tensor;
}

TEST(PixelShuffle, gives_the_examples_of_onnx) {
  std::vector<double> values;  // channel by channel 0 ... 5, 9 ... 14, and so on
  for (int c = 0; c < 8; ++c)
    for (int i = 0; i < 6; ++i) values.push_back(9 * c + i);
  const Tensor x = of_indices({1, 8, 2, 3}, values);
  const std::vector<double> of_crd = {0,  9,  1,  10, 2,  11, 18, 27, 19, 28, 20, 29, 3,  12, 4,  13,
                                      5,  14, 21, 30, 22, 31, 23, 32, 36, 45, 37, 46, 38, 47, 54, 63,
                                      55, 64, 56, 65, 39, 48, 40, 49, 41, 50, 57, 66, 58, 67, 59, 68};
  const std::vector<double> of_dcr = {0,  18, 1,  19, 2,  20, 36, 54, 37, 55, 38, 56, 3,  21, 4,  22,
                                      5,  23, 39, 57, 40, 58, 41, 59, 9,  27, 10, 28, 11, 29, 45, 63,
                                      46, 64, 47, 65, 12, 30, 13, 31, 14, 32, 48, 66, 49, 67, 50, 68};
  expect_same_bytes(OpRunner(pixel_shuffle(2, crd), {x}).forward(), of_indices({1, 2, 4, 6}, of_crd), "crd");
  expect_same_bytes(OpRunner(pixel_shuffle(2, dcr), {x}).forward(), of_indices({1, 2, 4, 6}, of_dcr), "dcr");
}

// An array of extents in row-major order with its axes in another order, as NumPy's transpose.
std::vector<double> transposed(const std::vector<double>& values, const std::vector<std::int64_t>& extents,
                               const std::vector<std::size_t>& axes) {
  std::vector<std::int64_t> strides(extents.size(), 1);
  for (std::size_t i = extents.size() - 1; i-- > 0;) strides[i] = strides[i + 1] * extents[i + 1];
  std::vector<double> result;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::int64_t rest = static_cast<std::int64_t>(i), from = 0;
    for (std::size_t k = axes.size(); k-- > 0; rest /= extents[axes[k]])
      from += rest % extents[axes[k]] * strides[axes[k]];
    result.push_back(values[static_cast<std::size_t>(from)]);
  }
  return result;
}

// The definitions of DepthToSpace and SpaceToDepth in ONNX, and that of PyTorch's PixelUnshuffle: reshape, transpose,
// reshape.
TEST(PixelShuffle, is_the_transposition_that_onnx_defines_it_by) {
  for (const std::int64_t f : {1, 2, 3, 4})
    for (const std::int64_t c : {1, 3, 5}) {
      const std::int64_t n = 3, h = 3, w = 5;
      std::vector<double> values;
      for (std::int64_t i = 0; i < n * c * f * f * h * w; ++i) values.push_back(static_cast<double>(i));
      const auto expect = [&](PixelShuffle::Order order, bool inverse, const std::vector<std::int64_t>& extents,
                              const std::vector<std::size_t>& axes) {
        const Shape deep{n, c * f * f, h, w}, wide{n, c, h * f, w * f};
        const Tensor x = of_indices(inverse ? wide : deep, values);
        const Tensor y = OpRunner(pixel_shuffle(f, order, inverse), {x}).forward();
        expect_same_bytes(y, of_indices(inverse ? deep : wide, transposed(values, extents, axes)),
                          "factor " + std::to_string(f) + ", channels " + std::to_string(c));
      };
      expect(dcr, false, {n, f, f, c, h, w}, {0, 3, 4, 1, 5, 2});
      expect(crd, false, {n, c, f, f, h, w}, {0, 1, 4, 2, 5, 3});
      expect(dcr, true, {n, c, h, f, w, f}, {0, 3, 5, 1, 2, 4});
      expect(crd, true, {n, c, h, f, w, f}, {0, 1, 3, 5, 2, 4});
    }
}

TEST(PixelShuffle, keeps_every_bit_on_the_way_there_and_back) {
  for (const DType dtype : {DType::float32, DType::float64})
    for (const PixelShuffle::Order order : {crd, dcr})
      for (const bool inverse : {false, true}) {
        const Tensor x = random_tensor({{2, 18, 6, 9}, dtype}, 1);
        dispatch_floating(dtype, [&]<class T>() {
          using Limits = std::numeric_limits<T>;
          T* const values = static_cast<T*>(x.data());
          std::int64_t i = 0;
          for (const T value : {T(-0.0), Limits::quiet_NaN(), -Limits::infinity(), Limits::denorm_min(), Limits::max()})
            values[7 * i++] = value;
        });
        const Tensor y = OpRunner(pixel_shuffle(3, order, inverse), {x}).forward();
        expect_same_bytes(OpRunner(pixel_shuffle(3, order, !inverse), {y}).forward(), x, "back");
        expect_same_bytes(OpRunner(pixel_shuffle(1, order, inverse), {x}).forward(), x, "factor 1");
        OpRunner runner(pixel_shuffle(3, order, inverse), {x});
        runner.forward();
        expect_same_bytes(runner.backward(y)[0], x, "gradient");
        expect_same_bytes(runner.recompute(), y, "recompute");
        expect_same_bytes(runner.inference(), y, "inference");
      }
}

TEST(PixelShuffle, takes_no_images_and_single_pixels) {
  EXPECT_EQ(OpRunner(pixel_shuffle(2), {Tensor({{0, 4, 3, 3}})}).forward().spec().shape, (Shape{0, 1, 6, 6}));
  const Tensor x = random_tensor({{1, 9, 1, 1}}, 1);
  EXPECT_EQ(OpRunner(pixel_shuffle(3), {x}).forward().spec().shape, (Shape{1, 1, 3, 3}));
}

TEST(PixelShuffle, gradients_match_finite_differences) {
  for (const PixelShuffle::Order order : {crd, dcr}) {
    expect_gradients_match_finite_differences(pixel_shuffle(2, order),
                                              {random_tensor({{2, 12, 2, 3}, DType::float64}, 2)});
    expect_gradients_match_finite_differences(pixel_shuffle(2, order, true),
                                              {random_tensor({{2, 3, 4, 2}, DType::float64}, 2)});
  }
}

TEST(PixelShuffle, has_the_same_bytes_at_any_thread_count) {
  expect_same_bytes_at_any_thread_count(pixel_shuffle(2), {random_tensor({{3, 28, 50, 51}}, 1)});
  expect_same_bytes_at_any_thread_count(pixel_shuffle(3, dcr, true), {random_tensor({{3, 7, 51, 57}}, 1)});
}

TEST(PixelShuffle, refuses_what_does_not_divide) {
  expect_throws<ValueError>([] { pixel_shuffle(0); }, "factor is 0, expected at least 1");
  const auto infer = [](const OpPtr& op, const Shape& shape) {
    EXPECT_THROW(op->infer(std::vector{Spec{shape}}), ShapeError) << shape.str();
  };
  infer(pixel_shuffle(2), {1, 6, 2, 2});
  infer(pixel_shuffle(2, crd, true), {1, 1, 4, 3});
  infer(pixel_shuffle(2), {4, 4});
}

TEST(PixelShuffle, says_what_does_not_divide) {
  const auto infer = [](const OpPtr& op, const Spec& x) { op->infer(std::vector{x}); };
  expect_throws<ValueError>([] { pixel_shuffle(-2); }, "factor is -2, expected at least 1");
  expect_throws<ShapeError>([&] { infer(pixel_shuffle(2), {{1, 6, 2, 2}}); },
                            "input has 6 channels, expected a multiple of 4, the factor squared");
  expect_throws<ShapeError>([&] { infer(pixel_shuffle(2, dcr), {{1, 1, 2, 2}}); }, "input has 1 channel,");
  expect_throws<ShapeError>([&] { infer(pixel_shuffle(2, crd, true), {{1, 1, 4, 3}}); },
                            "input has 4x3 pixels, expected multiples of 2");
  expect_throws<ShapeError>([&] { infer(pixel_shuffle(2, dcr, true), {{1, 1, 5, 4}}); }, "input has 5x4 pixels");
  expect_throws<ShapeError>([&] { infer(pixel_shuffle(2), {{4, 4}}); }, "rank 2, expected 4 (n, c, h, w)");
  expect_throws<DTypeError>([&] { infer(pixel_shuffle(2), {{1, 4, 2, 2}, DType::int64}); }, "int64");
}

TEST(PixelShuffle, says_which_attribute_is_wrong) {
  const auto make = [](const Attributes& attributes) { make_op("pixel_shuffle", attributes); };
  expect_throws<ValueError>([&] { make({}); }, "factor is 0, expected at least 1");
  expect_throws<ValueError>([&] { make({{"factor", std::int64_t{2}}, {"order", std::string("rcd")}}); },
                            "unknown order \"rcd\", expected crd or dcr");
  expect_throws<ValueError>([&] { make({{"factor", 2.5}}); }, "pixel_shuffle: attribute factor: expected an integer");
}

TEST(PixelShuffle, an_error_names_the_layer_and_where_x_comes_from) {
  Graph graph;
  const ValueId x = graph.input({{1, 6, 2, 2}}, "x");
  const auto add = [&] { graph.add(pixel_shuffle(2), {x}, "up"); };
  for (const char* part : {"up (PixelShuffle 2)", "input has 6 channels", ", from input x; x=(1, 6, 2, 2)"})
    expect_throws<ShapeError>(add, part);
}

TEST(PixelShuffle, gradients_in_a_graph_match_finite_differences) {
  if (is_reference_backend()) GTEST_SKIP() << "which has no pixel shuffle";
  for (const PixelShuffle::Order order : {crd, dcr})
    for (const bool inverse : {false, true}) {
      const Spec spec{{2, 8, 2, 4}, DType::float64};
      Graph graph;
      const ValueId x = graph.add(std::make_shared<SineOp>(), {graph.input(spec, "x", true)}, "before");
      const ValueId up = graph.add(pixel_shuffle(2, order, inverse), {x}, "up");
      graph.output(graph.add(std::make_shared<ProductOp>(), {up, up}, "squared"));
      GraphRunner(graph, Mode::training, {random_tensor(spec, 3)}).expect_gradients_match_finite_differences();
    }
}

// What is large and cheap is dropped after the forward pass, and made again for the gradient of the product.
TEST(PixelShuffle, gradients_in_a_graph_are_right_where_it_is_made_again) {
  if (is_reference_backend()) GTEST_SKIP() << "which has no pixel shuffle";
  for (const PixelShuffle::Order order : {crd, dcr})
    for (const bool inverse : {false, true}) {
      const Spec spec{{2, 8, 64, 130}, DType::float64};
      const OpPtr op = pixel_shuffle(2, order, inverse);
      Graph graph;
      const ValueId x = graph.input(spec, "x", true);
      const ValueId up = graph.add(op, {x}, "up");
      const ParameterPtr p = random_parameter(graph.spec(up), 1);
      graph.output(graph.add(std::make_shared<ProductOp>(), {up, graph.parameter(p, "p")}, "product"));
      GraphRunner runner(graph, Mode::training, {random_tensor(spec, 3)});
      const auto& steps = runner.executor().plan().backward_steps();
      EXPECT_TRUE(std::ranges::any_of(steps, [](const Step& step) { return step.kind == Step::Kind::recompute; }));
      runner.forward();
      runner.executor().fill_output_grads(1);
      runner.executor().backward();
      OpRunner alone(op, {runner.inputs()[0]});
      expect_same_bytes(p->grad, alone.forward(), "gradient of p");
      expect_same_bytes(copy_of(runner.executor().input_grad(0)), alone.backward(p->value)[0], "dx");
    }
}

}  // namespace
}  // namespace fastcnn::testing
