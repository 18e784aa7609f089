// Which algorithm a convolution gets.
#include "backend/cpu/conv2d/algorithm.h"

#include <gtest/gtest.h>

#include <array>

#include "message_of.h"

namespace fastcnn {
namespace {

Conv2dProblem one_by_one() {
  Conv2dProblem p;
  p.n = p.h_in = p.w_in = p.h_out = p.w_out = 4;
  p.k_h = p.k_w = p.stride_h = p.stride_w = p.dilation_h = p.dilation_w = 1;
  p.c_in = p.c_out = 64;
  return p;
}

std::string_view chosen(const Conv2dProblem& p, std::string_view name = "auto") {
  return choose_conv2d_algorithm<float>(Conv2dSelection(name), p, Conv2dPass::forward).name();
}

class Conv2dAlgorithms : public ::testing::Test {
 protected:
  ~Conv2dAlgorithms() override { set_conv2d_algorithms("auto"); }
};

TEST_F(Conv2dAlgorithms, AreTheSameForBothTypes) {
  const auto in_float32 = conv2d_algorithms<float>();
  const auto in_float64 = conv2d_algorithms<double>();
  ASSERT_EQ(in_float32.size(), in_float64.size());
  for (std::size_t i = 0; i < in_float32.size(); ++i) EXPECT_EQ(in_float32[i]->name(), in_float64[i]->name());
}

TEST_F(Conv2dAlgorithms, CanBeForbidden) {
  EXPECT_EQ(chosen(one_by_one()), "pointwise");
  set_conv2d_algorithms("-pointwise");
  EXPECT_NE(chosen(one_by_one()), "pointwise");
  EXPECT_EQ(allowed_conv2d_algorithm_names().find("pointwise"), std::string::npos);
}

TEST_F(Conv2dAlgorithms, CanBeNamedAlone) {
  set_conv2d_algorithms("reference, im2col");
  EXPECT_EQ(chosen(one_by_one()), "im2col");
  EXPECT_EQ(allowed_conv2d_algorithm_names(), "im2col,reference");
}

TEST_F(Conv2dAlgorithms, EndInIm2colWhereTheAllowedRefuse) {
  set_conv2d_algorithms("pointwise");
  Conv2dProblem p = one_by_one();
  p.stride_h = 2;
  EXPECT_EQ(chosen(p), "im2col");
}

TEST_F(Conv2dAlgorithms, TakeTheOneNamedByTheLayerWhateverIsForbidden) {
  set_conv2d_algorithms("-reference");
  EXPECT_EQ(chosen(one_by_one(), "reference"), "reference");
}

TEST_F(Conv2dAlgorithms, RefuseUnknownNames) {
  for (const std::string_view names : {"magic", "-magic", "im2col,,pointwise", "im", "point_wise"}) {
    const std::string message = testing::message_of([&] { set_conv2d_algorithms(names); });
    EXPECT_NE(message.find("unknown convolution algorithm"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace fastcnn
