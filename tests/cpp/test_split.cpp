#include "ops/split.h"

#include <gtest/gtest.h>

#include "graph_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

OpPtr split(std::vector<std::int64_t> sizes, std::int64_t axis = 1) {
  return std::make_shared<Split>(std::move(sizes), axis);
}

TEST(Split, parts_are_those_of_slices) {
  const Tensor x = random_tensor({{5, 6, 4, 7}}, 1);
  for (const std::int64_t axis : {0, 1, 2, 3, -1, -3}) {
    const std::int64_t extent = x.spec().shape[static_cast<int>(axis < 0 ? axis + 4 : axis)];
    OpRunner runner(split({1, extent - 3, 2}, axis), {x});
    runner.forward();
    std::int64_t begin = 0;
    for (const Tensor& part : runner.outputs()) {
      const std::int64_t size = part.spec().shape[static_cast<int>(axis < 0 ? axis + 4 : axis)];
      OpRunner slice(make_op("slice", {{"start", begin}, {"stop", begin + size}, {"axis", axis}}), {x});
      expect_same_bytes(part, slice.forward(), "axis " + std::to_string(axis));
      begin += size;
    }
    EXPECT_EQ(begin, extent);
  }
}

TEST(Split, one_part_is_x_and_none_of_no_images) {
  const Tensor x = random_tensor({{3, 9}}, 1);
  expect_same_bytes(OpRunner(split({9}), {x}).forward(), x, "all");
  OpRunner none(split({2, 1}), {Tensor({{0, 3, 4, 4}})});
  none.forward();
  EXPECT_EQ(none.outputs()[0].spec().shape, (Shape{0, 2, 4, 4}));
}

TEST(Split, refuses_what_does_not_fit) {
  expect_throws<ValueError>([] { split({}); }, "got no sizes, expected at least one");
  expect_throws<ValueError>([] { split({3, 0}); }, "a size is 0, expected at least 1");
  const Tensor x({{2, 5}});
  EXPECT_THROW(split({2, 2})->infer(std::vector{x.spec()}), ShapeError);
  EXPECT_THROW(split({5}, 2)->infer(std::vector{x.spec()}), Error);
}

// x -> split -> a sum of two parts of which one is squared; the third is looked at, or not read at all.
class SplitGraph : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, SplitGraph, ::testing::Bool(), [](const auto& info) {
  return info.param ? "third_part_is_an_output" : "third_part_is_unread";
});

GraphRunner runner(bool is_output) {
  Graph graph;
  const ValueId x = graph.input({{2, 7, 3, 2}, DType::float64}, "x", true);
  const std::vector<ValueId> parts = graph.add_node(split({3, 3, 1}), {x}, {"split"});
  const ValueId squared = graph.add(std::make_shared<ProductOp>(), {parts[0], parts[0]}, "squared");
  graph.output(graph.add(std::make_shared<SumOp>(), {squared, parts[1]}, "sum"));
  if (is_output) graph.output(parts[2], false);
  return GraphRunner(graph, Mode::training, {random_tensor({{2, 7, 3, 2}, DType::float64}, 3)});
}

TEST_P(SplitGraph, gradients_match_finite_differences) {
  if (is_reference_backend()) GTEST_SKIP() << "which has no split";
  runner(GetParam()).expect_gradients_match_finite_differences();
}

TEST_P(SplitGraph, leaves_the_same_bytes_at_any_number_of_threads) {
  if (is_reference_backend()) GTEST_SKIP() << "which has no split";
  const ThreadsRestored restored;
  set_num_threads(1);
  GraphRunner one = runner(GetParam());
  one.forward();
  one.backward();
  for (const int threads : {2, 3, 8}) {
    set_num_threads(threads);
    GraphRunner many = runner(GetParam());
    many.forward();
    many.backward();
    expect_same_bytes(copy_of(many.executor().input_grad(0)), copy_of(one.executor().input_grad(0)), "dx");
  }
}

}  // namespace
}  // namespace fastcnn::testing
