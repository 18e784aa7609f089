#include "ops/spatial_norm.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "reference/spatial_norm.h"
#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

using Options = SpatialNorm::Options;

// cuda-convnet's rnorm of layers-18pct.cfg, betas with and without a short cut, even windows, one pixel, more than the
// image.
const Options cases[] = {{3, 5e-5, 0.75, 1.0}, {5, 4.0, 0.75, 2.0}, {4, 3.0, 0.5, 1.0},  {2, 2.0, 1.25, 1.0},
                         {1, 2.0, 1.0, 1.5},   {11, 9.0, 0.6, 1.0}, {7, 30.0, 2.5, 0.7}};
// Parts of vectors and several, one row, one column, no image, no pixel.
const Shape shapes[] = {{2, 32, 7, 9}, {3, 3, 5, 4}, {1, 1, 6, 6}, {2, 17, 1, 8},
                        {1, 4, 8, 1},  {0, 8, 3, 3}, {2, 3, 0, 4}};

std::vector<Options> options() {
  std::vector<Options> all;
  for (const bool contrast : {false, true})
    for (Options option : cases) {
      option.contrast = contrast;
      all.push_back(option);
    }
  return all;
}

OpPtr make(const Options& options) { return std::make_shared<SpatialNorm>(options); }

// Image by image.
template <class F>
Tensor by_image(const Spec& spec, F compute) {
  Tensor result(spec);
  const std::int64_t n = spec.shape[0] > 0 ? spec.shape.numel() / spec.shape[0] : 0;
  for (std::int64_t image = 0; image < spec.shape[0]; ++image) {
    const std::vector<double> values = compute(image * n, n);
    dispatch_floating(spec.dtype, [&]<class T>() {
      for (std::int64_t i = 0; i < n; ++i)
        static_cast<T*>(result.data())[image * n + i] = static_cast<T>(values[static_cast<std::size_t>(i)]);
    });
  }
  return result;
}

std::vector<double> slice(const Tensor& tensor, std::int64_t at, std::int64_t n) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < n; ++i) values.push_back(element(tensor, at + i));
  return values;
}

void expect_definition(DType dtype, double tolerance) {
  for (const Options& option : options())
    for (const Shape& shape : shapes) {
      const Tensor x = random_tensor({shape, dtype}, 1, -1, 3), dy = random_tensor({shape, dtype}, 2);
      const reference::SpatialNorm norm{option, shape[2], shape[3], shape[1]};
      const Tensor y = by_image(x.spec(), [&](auto at, auto n) { return norm.forward(slice(x, at, n)); });
      const Tensor dx =
          by_image(x.spec(), [&](auto at, auto n) { return norm.backward(slice(x, at, n), slice(dy, at, n)); });
      OpRunner runner(make(option), {x});
      const std::string name = make(option)->describe({}) + ", x=" + shape.str();
      expect_near(runner.forward(), y, tolerance, name);
      expect_near(runner.backward(dy)[0], dx, tolerance, "gradient, " + name);
    }
}

TEST(SpatialNorm, matches_its_definition) {
  expect_definition(DType::float32, 2e-6);
  expect_definition(DType::float64, 1e-14);
}

TEST(SpatialNorm, gradients_match_finite_differences) {
  for (const Options& option : options())
    expect_gradients_match_finite_differences(make(option), {random_tensor({{2, 5, 4, 6}, DType::float64}, 3, -1, 3)});
}

TEST(SpatialNorm, has_the_same_bytes_at_any_thread_count) {
  for (const bool contrast : {false, true})
    expect_same_bytes_at_any_thread_count(make({.size = 3, .contrast = contrast}),
                                          {random_tensor({{3, 32, 17, 19}}, 4)});
}

TEST(SpatialNorm, leaves_its_gradient_in_the_place_of_dy) {
  const Spec spec{{2, 19, 5, 6}};
  for (const bool contrast : {false, true}) {
    const OpPtr op = make({.size = 3, .alpha = 2.0, .contrast = contrast});
    const Tensor x = random_tensor(spec, 1), dy = random_tensor(spec, 2);
    const Tensor dx = OpRunner(op, {x}).backward(dy)[0];
    const std::unique_ptr<Kernel> kernel = cpu_backend()->make(op, Pass::backward, std::vector<Spec>{spec});
    ASSERT_TRUE(kernel->in_place());
    const ScratchSize size = kernel->memory().scratch;
    const Buffer memory = allocate(align_up(size.shared) + align_up(size.per_thread) * 64);
    const std::vector<ConstView> inputs{x.view()};
    const std::vector<View> gradients{dy.view()};
    const std::vector<View> y{{nullptr, spec}};
    Stream stream;
    kernel->run({.x = inputs,
                 .y = y,
                 .dy = gradients,
                 .dx = gradients,
                 .scratch = {memory.get(), memory.get() + align_up(size.shared), align_up(size.per_thread)}},
                stream);
    expect_same_bytes(dy, dx, op->describe({}));
  }
}

TEST(SpatialNorm, reads_its_attributes_and_describes_itself) {
  EXPECT_EQ(make_op("spatial_norm", {{"k", 2.0}, {"alpha", 5e-4}})->describe({}),
            "SpatialResponseNorm size=5, alpha=0.0005, beta=0.75, k=2");
  EXPECT_EQ(make_op("spatial_norm", {{"size", std::int64_t{7}}, {"contrast", true}})->describe({}),
            "ContrastNorm size=7, alpha=0.0001, beta=0.75, k=1");
}

TEST(SpatialNorm, says_what_does_not_fit) {
  EXPECT_EQ(message_of([] { make_op("spatial_norm", {{"size", std::int64_t{0}}}); }),
            "size must be at least 1, got 0");
  EXPECT_EQ(message_of([] { make({})->infer(std::vector<Spec>{{{4, 10}}}); }),
            "input has rank 2, expected 4 (n, c, h, w); got (4, 10)");
}

}  // namespace
}  // namespace fastcnn::testing
