// Every pass of the implicit convolution against the reference loops, and the same bytes at any number of
// threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <ostream>
#include <string>
#include <vector>

#include "op_testing.h"
#include "backend/cpu/conv2d/algorithm.h"
#include "ops/window.h"

namespace fastcnn {
namespace {

using testing::expect_near;
using testing::expect_same_bytes;
using testing::FencedMemory;
using testing::random_tensor;

struct Case {
  const char* name;
  Shape x;
  Shape w;
  Pair stride{1, 1};
  Pair pad{0, 0};
  Pair dilation{1, 1};
  std::int64_t groups = 1;

  Conv2dProblem problem() const {
    Conv2dProblem p;
    static_cast<Windows2d&>(p) = slide({{w[2], w[3]}, stride, pad, dilation}, x);
    p.n = x[0];
    p.c_in = x[1];
    p.c_out = w[0];
    p.groups = groups;
    return p;
  }
  friend void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }
};

const Case cases[] = {
    {"one_pixel", {1, 1, 1, 1}, {1, 1, 1, 1}},
    {"one_pixel_padded", {3, 2, 1, 1}, {5, 2, 3, 3}, {1, 1}, {1, 1}},
    {"one_pixel_padded_beyond_kernel", {2, 3, 1, 1}, {4, 3, 2, 2}, {1, 1}, {3, 3}},
    {"digits_one_channel", {3, 1, 28, 28}, {20, 1, 5, 5}},
    {"digits_second", {3, 20, 12, 12}, {50, 20, 5, 5}},
    {"colours", {2, 3, 17, 23}, {37, 3, 5, 5}, {1, 1}, {2, 2}},
    {"two_channels_of_x", {2, 2, 19, 13}, {33, 2, 3, 3}, {1, 1}, {1, 1}},
    {"four_channels_of_x", {2, 4, 19, 13}, {17, 4, 7, 7}, {2, 2}, {3, 3}},
    {"large_kernel_strided", {2, 3, 43, 39}, {96, 3, 11, 11}, {4, 4}},
    {"primes", {3, 7, 13, 11}, {53, 7, 3, 5}, {2, 3}, {1, 2}},
    {"wide_rows", {1, 5, 4, 61}, {31, 5, 3, 3}, {1, 1}, {1, 1}},
    {"stride_beyond_kernel", {2, 3, 23, 29}, {5, 3, 2, 2}, {5, 3}},
    {"stride_beyond_image", {2, 3, 5, 5}, {5, 3, 3, 3}, {7, 9}, {1, 1}},
    {"strided", {2, 33, 15, 14}, {34, 33, 3, 3}, {2, 2}, {1, 1}},
    {"strided_pointwise", {2, 33, 15, 14}, {34, 33, 1, 1}, {2, 2}},
    {"strided_one_way", {2, 6, 15, 14}, {7, 6, 3, 4}, {1, 3}, {1, 2}},
    {"dilated", {2, 4, 19, 17}, {6, 4, 3, 3}, {1, 1}, {2, 2}, {2, 2}},
    {"dilated_deep", {1, 40, 19, 17}, {35, 40, 3, 3}, {1, 1}, {3, 3}, {3, 3}},
    {"dilated_strided", {2, 4, 19, 17}, {6, 4, 3, 2}, {2, 1}, {3, 1}, {3, 2}},
    {"groups", {2, 12, 13, 13}, {14, 6, 5, 5}, {1, 1}, {2, 2}, {1, 1}, 2},
    {"groups_read_in_place", {2, 66, 9, 9}, {70, 33, 3, 3}, {1, 1}, {0, 0}, {1, 1}, 2},
    {"groups_strided", {2, 40, 9, 10}, {70, 20, 3, 3}, {2, 2}, {1, 1}, {1, 1}, 2},
    {"a_group_for_each_channel", {2, 10, 9, 9}, {10, 1, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 10},
    {"two_maps_for_each_channel", {2, 5, 9, 9}, {10, 1, 3, 3}, {2, 2}, {1, 1}, {1, 1}, 5},
    {"pad_beyond_kernel", {2, 3, 5, 4}, {4, 3, 2, 2}, {1, 1}, {4, 3}},
    {"pad_beyond_kernel_strided", {2, 3, 5, 4}, {4, 3, 3, 2}, {3, 2}, {7, 5}},
    {"pad_beyond_kernel_dilated", {2, 3, 5, 4}, {4, 3, 2, 2}, {1, 1}, {4, 3}, {3, 2}},
    {"whole_image", {4, 6, 8, 8}, {10, 6, 8, 8}},
    {"rows_of_the_weights_apart", {2, 300, 5, 6}, {70, 300, 3, 3}, {1, 1}, {1, 1}},
    {"kernel_rows_one_by_one", {1, 1100, 3, 3}, {33, 1100, 2, 2}, {1, 1}, {1, 1}},
    {"rows_of_seven", {2, 40, 7, 7}, {37, 40, 3, 3}, {1, 1}, {1, 1}},
    {"rows_of_seven_strided", {1, 17, 14, 14}, {34, 17, 3, 3}, {2, 2}, {1, 1}},
    {"rows_of_seven_dilated", {1, 9, 11, 11}, {34, 9, 3, 3}, {1, 1}, {0, 0}, {2, 2}},
    {"weights_beyond_the_cache", {2, 130, 7, 7}, {150, 130, 3, 3}, {1, 1}, {1, 1}},
    {"weights_beyond_the_cache_strided", {3, 130, 9, 13}, {150, 130, 3, 3}, {2, 2}, {1, 1}},
    {"many_small_images", {37, 9, 4, 4}, {10, 9, 3, 3}, {1, 1}, {1, 1}},
    {"rows_of_one_large_image", {1, 16, 67, 71}, {32, 16, 3, 3}, {1, 1}, {1, 1}},
};

// What a pass writes: y, dx or dw. y with bias, residual and `activation`.
template <class T>
Tensor run(const Conv2dAlgorithm<T>& algorithm, const Case& c, Conv2dPass pass, Activation activation) {
  const Conv2dProblem p = c.problem();
  const DType dtype = dtype_of<T>;
  const Shape y_shape{p.n, p.c_out, p.h_out, p.w_out};
  const Tensor x = random_tensor({c.x, dtype}, 1);
  const Tensor w = random_tensor({c.w, dtype}, 2);
  const Tensor bias = random_tensor({Shape{p.c_out}, dtype}, 3);
  const Tensor dy = random_tensor({y_shape, dtype}, 4);
  const auto data = [](const Tensor& tensor) { return static_cast<const T*>(tensor.data()); };

  const ScratchSize size = algorithm.scratch(p, pass);
  const std::size_t stride = align_up(size.per_thread);
  const FencedMemory shared(size.shared);
  const FencedMemory per_thread(stride * static_cast<std::size_t>(num_threads().threads));
  const Scratch scratch(shared.data(), per_thread.data(), stride);
  const std::int64_t elements = algorithm.prepared_elements(p, pass);
  const FencedMemory prepared(static_cast<std::size_t>(elements) * sizeof(T));
  const T* weights = data(w);
  if (elements > 0) {
    algorithm.prepare(p, pass, weights, reinterpret_cast<T*>(prepared.data()));
    weights = reinterpret_cast<const T*>(prepared.data());
  }

  const Shape result = pass == Conv2dPass::forward ? y_shape : pass == Conv2dPass::backward_data ? c.x : c.w;
  const Spec spec{result, dtype};
  const FencedMemory out(spec.bytes());
  T* target = reinterpret_cast<T*>(out.data());
  switch (pass) {
    case Conv2dPass::forward:
      algorithm.forward(p, data(x), weights,
                        {.bias = data(bias), .residual = data(dy), .activation = activation}, target, scratch);
      break;
    case Conv2dPass::backward_data: algorithm.backward_data(p, data(dy), weights, target, scratch); break;
    case Conv2dPass::backward_weights:
      algorithm.backward_weights(p, data(x), data(dy), target, scratch);
      break;
  }
  shared.expect_intact("shared scratch");
  per_thread.expect_intact("per-thread scratch");
  prepared.expect_intact("prepared weights");
  out.expect_intact("result");
  Tensor tensor(spec);
  std::memcpy(tensor.data(), out.data(), spec.bytes());
  return tensor;
}

class ConvImplicit : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Each, ConvImplicit, ::testing::ValuesIn(cases),
                         [](const auto& info) { return std::string(info.param.name); });

template <class T, class F>
void for_passes(const Case& c, F body) {
  for (const Conv2dPass pass : conv2d_passes) {
    if (conv2d_implicit<T>().refusal(c.problem(), pass).empty()) body(pass);
  }
}

template <class T>
void expect_reference(const Case& c, double tolerance) {
  for_passes<T>(c, [&](Conv2dPass pass) {
    for (const Activation::Kind kind :
         {Activation::Kind::identity, Activation::Kind::relu, Activation::Kind::relu6, Activation::Kind::tanh}) {
      const Activation activation{.kind = kind};
      expect_near(run(conv2d_implicit<T>(), c, pass, activation),
                  run(conv2d_reference<T>(), c, pass, activation), tolerance, std::string(name_of(pass)));
      if (pass != Conv2dPass::forward) break;
    }
  });
}

TEST_P(ConvImplicit, EqualsReferenceInFloat32) { expect_reference<float>(GetParam(), 1e-5); }
TEST_P(ConvImplicit, EqualsReferenceInFloat64) { expect_reference<double>(GetParam(), 1e-13); }

TEST_P(ConvImplicit, BytesAreTheSameAtAnyThreadCount) {
  const int before = num_threads().threads;
  for_passes<float>(GetParam(), [&](Conv2dPass pass) {
    Tensor first;
    for (const int threads : {1, 2, 3, 8}) {
      set_num_threads(threads);
      const Tensor now = run(conv2d_implicit<float>(), GetParam(), pass, {});
      if (threads == 1) first = now;
      expect_same_bytes(now, first, std::string(name_of(pass)) + " at " + std::to_string(threads) + " threads");
    }
  });
  set_num_threads(before);
}

TEST(ConvImplicit, RefusesOnlyGradientsOfStrideAndDilationAtOnce) {
  for (const Case& c : cases) {
    const bool both = (c.stride[0] > 1 || c.stride[1] > 1) && (c.dilation[0] > 1 || c.dilation[1] > 1);
    for (const Conv2dPass pass : conv2d_passes) {
      EXPECT_EQ(conv2d_implicit<float>().refusal(c.problem(), pass).empty(),
                pass != Conv2dPass::backward_data || !both)
          << c.name << ", " << name_of(pass);
    }
  }
}

TEST(ConvImplicit, ValuesThatAreNotNumbersReachTheOutputThroughRelu) {
  const Case c{"", {1, 2, 5, 5}, {3, 2, 3, 3}};
  const Conv2dProblem p = c.problem();
  std::vector<float> x(50, 1.0F);
  x[24] = std::nanf("");
  const std::vector<float> w(54, 1.0F);
  std::vector<float> prepared(static_cast<std::size_t>(conv2d_implicit<float>().prepared_elements(p, Conv2dPass::forward)));
  conv2d_implicit<float>().prepare(p, Conv2dPass::forward, w.data(), prepared.data());
  std::vector<float> y(27);
  conv2d_implicit<float>().forward(p, x.data(), prepared.data(), {.activation = {.kind = Activation::Kind::relu}},
                                   y.data(), {});
  EXPECT_TRUE(std::all_of(y.begin(), y.end(), [](float v) { return std::isnan(v); }));
}

}  // namespace
}  // namespace fastcnn
