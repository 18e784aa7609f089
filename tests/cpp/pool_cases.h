// What pools of images are tested on, and what all of them promise.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <vector>

#include "op_testing.h"
#include "ops/activation.h"
#include "ops/pool2d.h"

namespace fastcnn::testing {

struct PoolCase {
  const char* name;
  Shape x;
  PoolSpec windows;
  friend void PrintTo(const PoolCase& c, std::ostream* out) { *out << c.name; }
};

inline const std::vector<PoolCase> pool_cases = {
    {"one_pixel", {1, 1, 1, 1}, {.kernel = {1, 1}}},
    {"one_pixel_padded", {2, 3, 1, 1}, {.kernel = {3, 3}, .pad = {1, 1}}},
    {"lenet", {3, 20, 24, 24}, {.kernel = {2, 2}, .stride = {2, 2}}},
    {"alexnet_overlapping", {2, 96, 15, 15}, {.kernel = {3, 3}, .stride = {2, 2}}},
    {"resnet_padded", {2, 64, 28, 28}, {.kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1}}},
    {"ceil", {2, 17, 10, 11}, {.kernel = {3, 3}, .stride = {2, 2}, .ceil_mode = true}},
    {"ceil_padded", {2, 5, 9, 6}, {.kernel = {3, 2}, .stride = {2, 3}, .pad = {1, 1}, .ceil_mode = true}},
    {"ceil_drops_a_window", {1, 3, 5, 5}, {.kernel = {2, 2}, .stride = {3, 3}, .pad = {1, 1}, .ceil_mode = true}},
    {"ceil_clips_the_only_window", {2, 3, 3, 4}, {.kernel = {4, 5}, .stride = {3, 2}, .ceil_mode = true}},
    {"stride_beyond_kernel", {2, 7, 23, 29}, {.kernel = {2, 3}, .stride = {5, 4}}},
    {"rectangular", {2, 33, 9, 21}, {.kernel = {1, 5}, .stride = {2, 1}, .pad = {0, 2}}},
    {"prime_sizes", {3, 13, 17, 19}, {.kernel = {5, 3}, .stride = {3, 2}, .pad = {2, 1}}},
    {"global", {4, 31, 7, 7}, {.kernel = {7, 7}, .stride = {7, 7}}},
    {"window_of_many_cells", {2, 5, 19, 18}, {.kernel = {17, 16}}},
    {"many_bands", {5, 64, 40, 40}, {.kernel = {3, 3}, .pad = {1, 1}}},
    {"empty_batch", {0, 3, 8, 8}, {.kernel = {2, 2}, .stride = {2, 2}}},
    {"starts_before", {2, 16, 11, 9}, {.kernel = {3, 3}, .stride = {2, 2}, .ceil_mode = true, .start = {{-2, -1}}}},
    {"starts_within", {2, 9, 12, 10}, {.kernel = {2, 3}, .stride = {2, 3}, .start = {{3, 1}}}},
    {"as_many_as_wanted", {2, 17, 12, 12}, {.kernel = {5, 5}, .start = {{-2, -2}}, .output = {{12, 12}}}},
    {"fewer_than_fit", {2, 3, 40, 31}, {.kernel = {3, 2}, .stride = {3, 2}, .output = {{2, 3}}}},
    {"more_than_fit", {2, 35, 7, 8}, {.kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1}, .output = {{4, 4}}}},
    {"adaptive_one_pixel", {1, 1, 1, 1}, {.output = {{1, 1}}}},
    {"adaptive_global", {3, 33, 7, 5}, {.output = {{1, 1}}}},
    {"adaptive_of_many_cells", {2, 5, 35, 34}, {.output = {{2, 2}}}},
    {"adaptive_divides", {2, 16, 12, 10}, {.output = {{4, 5}}}},
    {"adaptive_overlaps", {2, 70, 13, 11}, {.output = {{7, 4}}}},
    {"adaptive_overlaps_one_way", {2, 5, 8, 9}, {.output = {{4, 7}}}},
    {"adaptive_more_windows_than_pixels", {2, 19, 3, 4}, {.output = {{7, 9}}}},
    {"adaptive_vgg_of_other_images", {2, 64, 9, 10}, {.output = {{7, 7}}}},
    {"adaptive_many_bands", {2, 96, 61, 47}, {.output = {{6, 5}}}},
    {"adaptive_empty_batch", {0, 3, 8, 8}, {.output = {{3, 3}}}},
};

// Its bytes are those of the pool and the activation one after the other; gradients are right.
inline void expect_takes_in_activations(const OpPtr& plain, const Shape& shape) {
  using Kind = Activation::Kind;
  const Tensor x = random_tensor({shape, DType::float64}, 1);
  for (const Activation& f : {Activation{Kind::relu}, {Kind::tanh, 1.5, 0.7}, {Kind::linear, 2.0, -0.5}}) {
    const OpPtr fused = plain->fused_with(f, {});
    ASSERT_NE(fused, nullptr);
    expect_gradients_match_finite_differences(fused, {x}, {}, 1e-6, 20);
    OpRunner pool(plain, {random_tensor({shape}, 1)});
    OpRunner activation(std::make_shared<ActivationOp>(f), {pool.forward()});
    expect_same_bytes(OpRunner(fused, pool.x()).forward(), activation.forward(), "y");
    expect_same_bytes_at_any_thread_count(fused, pool.x());
  }
}

// It is `name` with kernel 3; only activations whose gradient comes from the output, and one of them.
inline void expect_takes_in_one_activation(const OpPtr& op, const std::string& name) {
  EXPECT_EQ(op->fused_with(Activation{Activation::Kind::square}, {}), nullptr);
  const OpPtr fused = op->fused_with(Activation{Activation::Kind::relu}, {});
  EXPECT_EQ(fused->describe({}), name + " 3x3, relu");
  EXPECT_EQ(fused->fused_with(Activation{Activation::Kind::relu}, {}), nullptr);
}

}  // namespace fastcnn::testing
