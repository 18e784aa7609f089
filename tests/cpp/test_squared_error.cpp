#include "ops/squared_error.h"

#include <gtest/gtest.h>

#include "reference/squared_error.h"
#include "message_of.h"
#include "op_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

OpPtr loss(const char* reduction) { return make_op("squared_error", {{"reduction", reduction}}); }

std::vector<Tensor> inputs(const Shape& shape, DType dtype) {
  return {random_tensor({shape, dtype}, 1), random_tensor({shape, dtype}, 2)};
}

TEST(SquaredError, matches_its_definition) {
  for (const DType dtype : {DType::float32, DType::float64})
    for (const Shape& shape : {Shape{0, 4}, {1}, {3, 5}, {7, 1001}, {2, 3, 4, 5}, {3, 11003}}) {
      const auto x = inputs(shape, dtype);
      const double tolerance = dtype == DType::float32 ? 1e-6 : 1e-14;
      const Tensor none = OpRunner(loss("none"), x).forward();
      double sum = 0;
      dispatch_floating(dtype, [&]<class T>() {
        const T* h = x[0].view().as<T>();
        const T* target = x[1].view().as<T>();
        for (std::int64_t i = 0; i < shape.numel(); ++i)
          ASSERT_NEAR(element(none, i), reference::squared_error(h + i, target + i, 1), tolerance);
        sum = reference::squared_error(h, target, shape.numel());
      });
      const double n = static_cast<double>(shape.numel());
      EXPECT_NEAR(element(OpRunner(loss("sum"), x).forward(), 0), sum, tolerance * (1 + sum)) << shape.str();
      if (n == 0) continue;
      EXPECT_NEAR(element(OpRunner(loss("mean"), x).forward(), 0), sum / n, tolerance) << shape.str();
    }
}

TEST(SquaredError, gradients_match_finite_differences_in_both_inputs) {
  for (const char* reduction : {"mean", "batchmean", "sum", "none"}) {
    expect_gradients_match_finite_differences(loss(reduction), inputs({3, 7}, DType::float64));
    expect_gradients_match_finite_differences(loss(reduction), {random_tensor({{3, 7}, DType::float64}, 1)});
  }
}

TEST(SquaredError, without_a_target_it_is_the_sum_of_squares) {
  for (const Shape& shape : {Shape{5}, {3, 11003}, {2, 3, 4, 5}}) {
    std::vector<Tensor> x = inputs(shape, DType::float64);
    std::memset(x[1].data(), 0, x[1].spec().bytes());
    for (const char* reduction : {"mean", "batchmean", "sum", "none"})
      expect_same_bytes(OpRunner(loss(reduction), {x[0]}).forward(), OpRunner(loss(reduction), x).forward(),
                        reduction);
  }
}

TEST(SquaredError, batchmean_divides_by_the_samples) {
  const auto x = inputs({4, 5}, DType::float64);
  const double sum = element(OpRunner(loss("sum"), x).forward(), 0);
  EXPECT_DOUBLE_EQ(element(OpRunner(loss("batchmean"), x).forward(), 0), sum / 4);
}

TEST(SquaredError, mean_over_nothing_is_nan) {
  EXPECT_TRUE(std::isnan(element(OpRunner(loss("mean"), inputs({0, 3}, DType::float32)).forward(), 0)));
}

TEST(SquaredError, has_the_same_bytes_at_any_thread_count) {
  for (const char* reduction : {"mean", "none"})
    expect_same_bytes_at_any_thread_count(loss(reduction), inputs({9, 30011}, DType::float32));
}

TEST(SquaredError, says_what_does_not_fit) {
  EXPECT_EQ(message_of([] { SquaredError().infer(std::vector<Spec>{{{4, 3}}, {{4, 2}}}); }),
            "target has shape (4, 2), expected (4, 3), as input");
  EXPECT_EQ(message_of([] { loss("average"); }),
            "unknown reduction \"average\", expected mean, batchmean, sum or none");
}

}  // namespace
}  // namespace fastcnn::testing
