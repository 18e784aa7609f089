// Group norm and layer norm: the same definition over other groups.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "message_of.h"
#include "op_testing.h"
#include "ops/group_norm.h"
#include "ops/layer_norm.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

constexpr double eps = 1e-5;

struct Case {
  std::string name;
  OpPtr op;
  Shape x, affine;
  // Which group an element of x, as stored, is in, and which element of gamma and beta, as stored, is its own.
  std::int64_t (*group)(const Case& c, std::int64_t i);
  std::int64_t (*column)(const Case& c, std::int64_t i);
  std::int64_t groups;  // of a sample; for layers of all
};

std::int64_t channel(const Case& c, std::int64_t i) { return i % c.x[1]; }
std::int64_t group_of_channels(const Case& c, std::int64_t i) {
  const std::int64_t sample = i / (c.x.numel() / c.x[0]);
  return sample * c.groups + i % c.x[1] / (c.x[1] / c.groups);
}
std::int64_t row(const Case& c, std::int64_t i) { return i / c.affine.numel(); }
std::int64_t place_in_row(const Case& c, std::int64_t i) { return i % c.affine.numel(); }
// gamma (c, h, w) is stored by plane, x by pixel.
std::int64_t place_in_planes(const Case& c, std::int64_t i) {
  const std::int64_t pixels = c.x[2] * c.x[3], place = i % c.affine.numel();
  return place % c.x[1] * pixels + place / c.x[1];
}

std::vector<Case> cases() {
  std::vector<Case> all;
  // Parts of vectors and several, one block of rows and many, rank 2, one pixel, groups of one, one group, no sample.
  const std::pair<Shape, std::int64_t> grouped[] = {
      {{2, 6, 5, 4}, 3}, {{3, 32, 7, 9}, 8},  {{2, 17, 6, 5}, 1},  {{2, 5, 3, 4}, 5}, {{4, 12}, 3},
      {{3, 8, 1, 1}, 2}, {{2, 64, 31, 29}, 4}, {{1, 200, 20, 9}, 2}, {{0, 6, 4, 4}, 2}};
  for (const auto& [x, groups] : grouped) {
    const OpPtr op = std::make_shared<GroupNorm>(groups, eps);
    all.push_back({op->kind().data() + x.str(), op, x, Shape{x[1]}, group_of_channels, channel, groups});
  }
  const std::pair<Shape, Shape> layered[] = {{{6, 40}, {40}},           {{3, 5, 7}, {7}},       {{3, 5, 7}, {5, 7}},
                                             {{2, 3, 4, 5}, {3, 4, 5}}, {{2, 1, 4, 5}, {1, 4, 5}}, {{9, 771}, {771}},
                                             {{2, 3, 4, 2}, {2, 3, 4, 2}}, {{7}, {7}},          {{0, 4}, {4}}};
  for (const auto& [x, shape] : layered) {
    const OpPtr op = std::make_shared<LayerNorm>(shape, eps);
    const bool planes = x.rank() == 4 && shape.rank() == 3;
    all.push_back({op->kind().data() + x.str() + shape.str(), op, x, shape, row,
                   planes ? place_in_planes : place_in_row, x.numel() / shape.numel()});
  }
  return all;
}

std::vector<Tensor> inputs(const Case& c, DType dtype) {
  return {random_tensor({c.x, dtype}, 1, -1, 3), random_tensor({c.affine, dtype}, 2, -2, 2),
          random_tensor({c.affine, dtype}, 3)};
}

// y, or where dy is given the gradients of x, gamma and beta, from the definition.
std::vector<Tensor> expected(const Case& c, const std::vector<Tensor>& x, const Tensor* dy = nullptr) {
  const std::int64_t n = c.x.numel();
  std::vector<double> count(static_cast<std::size_t>(n)), mean(count), variance(count), sum(count), sum_x(count);
  const auto at = [&](std::vector<double>& by_group, std::int64_t i) -> double& {
    return by_group[static_cast<std::size_t>(c.group(c, i))];
  };
  const auto gamma = [&](std::int64_t i) { return x[1] ? element(x[1], c.column(c, i)) : 1.0; };
  const auto beta = [&](std::int64_t i) { return x[2] ? element(x[2], c.column(c, i)) : 0.0; };
  for (std::int64_t i = 0; i < n; ++i) ++at(count, i), at(mean, i) += element(x[0], i);
  for (std::int64_t i = 0; i < n; ++i)
    at(variance, i) += std::pow(element(x[0], i) - at(mean, i) / at(count, i), 2) / at(count, i);
  const auto inverse = [&](std::int64_t i) { return 1 / std::sqrt(at(variance, i) + eps); };
  const auto normalized = [&](std::int64_t i) {
    return (element(x[0], i) - at(mean, i) / at(count, i)) * inverse(i);
  };
  std::vector<Tensor> result;
  for (const Tensor& tensor : x) result.emplace_back(tensor ? Tensor(tensor.spec()) : Tensor());
  dispatch_floating(x[0].spec().dtype, [&]<class T>() {
    const auto data = [&](std::size_t i) { return static_cast<T*>(result[i].data()); };
    if (dy == nullptr) {
      for (std::int64_t i = 0; i < n; ++i) data(0)[i] = static_cast<T>(gamma(i) * normalized(i) + beta(i));
      return;
    }
    for (std::int64_t i = 0; i < n; ++i) {
      at(sum, i) += element(*dy, i) * gamma(i);
      at(sum_x, i) += element(*dy, i) * gamma(i) * normalized(i);
      if (x[1]) data(1)[c.column(c, i)] += static_cast<T>(element(*dy, i) * normalized(i));
      if (x[2]) data(2)[c.column(c, i)] += static_cast<T>(element(*dy, i));
    }
    for (std::int64_t i = 0; i < n; ++i) {
      data(0)[i] = static_cast<T>(inverse(i) * (element(*dy, i) * gamma(i) - at(sum, i) / at(count, i) -
                                                normalized(i) * at(sum_x, i) / at(count, i)));
    }
  });
  return result;
}

void expect_definition(const Case& c, const std::vector<Tensor>& x, double tolerance) {
  OpRunner runner(c.op, x);
  expect_near(runner.forward(), expected(c, x)[0], tolerance, c.name);
  const Tensor dy = random_tensor(runner.y_spec(), 4);
  const std::vector<Tensor> gradients = runner.backward(dy), by_definition = expected(c, x, &dy);
  for (std::size_t i = 0; i < gradients.size(); ++i)
    if (gradients[i])
      expect_near(gradients[i], by_definition[i], tolerance, c.name + ", gradient " + std::to_string(i));
}

TEST(GroupAndLayerNorm, matches_its_definition) {
  for (const Case& c : cases()) {
    expect_definition(c, inputs(c, DType::float32), 2e-5);
    expect_definition(c, inputs(c, DType::float64), 1e-12);
  }
}

TEST(GroupAndLayerNorm, gamma_and_beta_may_be_absent) {
  for (const Case& c : cases())
    for (const std::size_t absent : {std::size_t{1}, std::size_t{2}}) {
      std::vector<Tensor> x = inputs(c, DType::float64);
      x[absent] = Tensor();
      expect_definition(c, x, 1e-12);
      expect_definition(c, {x[0], Tensor(), Tensor()}, 1e-12);
    }
}

TEST(GroupAndLayerNorm, gradients_match_finite_differences) {
  for (const Case& c : cases())
    if (c.x.numel() < 2000)
      expect_gradients_match_finite_differences(c.op, inputs(c, DType::float64), {.training = true, .random = {}}, 1e-6,
                                                40);
}

TEST(GroupAndLayerNorm, makes_y_again_from_what_it_saved) {
  for (const Case& c : cases()) {
    const std::vector<Tensor> x = inputs(c, DType::float32);
    OpRunner runner(c.op, x);
    const Tensor y = runner.forward();
    expect_same_bytes(runner.recompute(), y, c.name);
  }
}

TEST(GroupAndLayerNorm, works_at_inference) {
  for (const Case& c : cases()) {
    const std::vector<Tensor> x = inputs(c, DType::float32);
    expect_near(OpRunner(c.op, x).inference(), expected(c, x)[0], 2e-5, c.name);
  }
}

// Values far from 0 lose what the mean takes of their digits, and no more.
TEST(GroupAndLayerNorm, keeps_its_digits_far_from_zero) {
  for (const Case& c : cases()) {
    std::vector<Tensor> x = inputs(c, DType::float32);
    x[0] = random_tensor({c.x}, 1, 1000, 1001);
    OpRunner runner(c.op, x);
    expect_near(runner.forward(), expected(c, x)[0], 1e-3, c.name);
  }
}

TEST(GroupAndLayerNorm, has_the_same_bytes_at_any_thread_count) {
  for (const Case& c : cases()) expect_same_bytes_at_any_thread_count(c.op, inputs(c, DType::float32));
}

TEST(GroupAndLayerNorm, read_their_attributes_and_describe_themselves) {
  const std::vector<Spec> x{{{2, 32, 4, 4}}};
  EXPECT_EQ(make_op("group_norm", {{"groups", std::int64_t{8}}})->describe(x), "GroupNorm 32, groups=8");
  EXPECT_EQ(make_op("layer_norm", {{"shape", std::vector<std::int64_t>{4, 4}}})->describe(x), "LayerNorm (4, 4)");
}

TEST(GroupAndLayerNorm, say_what_does_not_fit) {
  using Specs = std::vector<Spec>;
  EXPECT_EQ(message_of([] { GroupNorm(0, eps); }), "groups must be at least 1, got 0");
  EXPECT_EQ(message_of([] { GroupNorm(1, -1); }), "eps is -1, expected at least 0");
  EXPECT_EQ(message_of([] { GroupNorm(3, eps).infer(Specs{{{2, 8, 4, 4}}}); }),
            "input has 8 channels, expected a multiple of groups=3");
  EXPECT_EQ(message_of([] { GroupNorm(2, eps).infer(Specs{{{2, 8, 4}}}); }),
            "input has rank 3, expected 2 (n, c) or 4 (n, c, h, w); got (2, 8, 4)");
  EXPECT_EQ(message_of([] { GroupNorm(2, eps).infer(Specs{{{2, 8}}, {{4}}}); }),
            "gamma has shape (4,), expected (8,)");
  EXPECT_EQ(message_of([] { LayerNorm({}, eps); }), "shape is (), expected one or more positive extents");
  EXPECT_EQ(message_of([] { LayerNorm({5}, eps).infer(Specs{{{2, 8}}}); }),
            "input has shape (2, 8), expected one that ends in (5,)");
  EXPECT_EQ(message_of([] { LayerNorm({4, 4}, eps).infer(Specs{{{2, 8, 4, 4}}}); }),
            "input (n, c, h, w) is normalised over its last 2 axes, expected (c, h, w); got (2, 8, 4, 4)");
  EXPECT_EQ(message_of([] { LayerNorm({8}, eps).infer(Specs{{{2, 8}}, {}, {{8}, DType::float64}}); }),
            "beta has type float64, expected float32, as input");
}

}  // namespace
}  // namespace fastcnn::testing
