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

// Where the element of these indices lies: images are channels-last, all else is row-major.
std::int64_t offset(const Shape& shape, const std::vector<std::int64_t>& at) {
  std::vector<int> order = {0, 1, 2, 3, 4, 5};
  if (shape.rank() == 4) order = {0, 2, 3, 1};
  std::int64_t result = 0;
  for (int i = 0; i < shape.rank(); ++i) {
    const int axis = order[static_cast<std::size_t>(i)];
    result = result * shape[axis] + at[static_cast<std::size_t>(axis)];
  }
  return result;
}

// Calls f(indices) for each element, the last axis fastest.
template <class F>
void for_each_element(const Shape& shape, F f) {
  std::vector<std::int64_t> at(static_cast<std::size_t>(shape.rank()));
  for (std::int64_t i = 0; i < shape.numel(); ++i) {
    std::int64_t rest = i;
    for (int axis = shape.rank(); axis-- > 0; rest /= shape[axis])
      at[static_cast<std::size_t>(axis)] = rest % shape[axis];
    f(at);
  }
}

// Calls f(element of x, part, element of the part) for each element of x, as the definition says.
template <class F>
void for_each_pair(const Shape& x, const std::vector<Tensor>& parts, int axis, F f) {
  for_each_element(x, [&](std::vector<std::int64_t> at) {
    const std::int64_t from = offset(x, at);
    std::size_t part = 0;
    std::int64_t& index = at[static_cast<std::size_t>(axis)];
    while (index >= parts[part].spec().shape[axis]) index -= parts[part++].spec().shape[axis];
    f(from, part, offset(parts[part].spec().shape, at));
  });
}

TEST(Split, values_are_those_of_a_loop_on_every_axis_of_every_rank) {
  for (const Shape& shape : {Shape{11}, {7, 11}, {7, 5, 9}, {5, 7, 9, 11}, {3, 5, 7, 3, 5}, {3, 4, 5, 3, 3, 7}})
    for (const DType dtype : {DType::float32, DType::float64})
      for (int axis = 0; axis < shape.rank(); ++axis) {
        const Tensor x = random_tensor({shape, dtype}, 1);
        OpRunner runner(split({1, shape[axis] - 2, 1}, axis), {x});
        runner.forward();
        ASSERT_EQ(runner.outputs().size(), 3u);
        for_each_pair(shape, runner.outputs(), axis, [&](std::int64_t from, std::size_t part, std::int64_t to) {
          ASSERT_EQ(element(x, from), element(runner.outputs()[part], to)) << shape.str() << ", axis " << axis;
        });
      }
}

TEST(Split, gradients_are_those_of_a_loop_and_zero_where_none_arrives) {
  const Shape shape{3, 7, 5, 9};
  for (int axis = 0; axis < 4; ++axis)
    for (unsigned arriving = 0; arriving < 8; ++arriving) {
      OpRunner runner(split({1, shape[axis] - 2, 1}, axis), {random_tensor({shape}, 1)});
      runner.forward();
      std::vector<Tensor> dy;
      for (unsigned part = 0; part < 3; ++part)
        dy.push_back(arriving >> part & 1U ? random_tensor(runner.outputs()[part].spec(), 10 + part) : Tensor());
      const Tensor dx = runner.backward(dy)[0];
      for_each_pair(shape, runner.outputs(), axis, [&](std::int64_t to, std::size_t part, std::int64_t from) {
        ASSERT_EQ(element(dx, to), dy[part] ? element(dy[part], from) : 0) << "axis " << axis << ", " << arriving;
      });
    }
}

TEST(Split, has_the_same_bytes_at_any_thread_count) {
  const ThreadsRestored restored;
  const Tensor x = random_tensor({{3, 37, 65, 51}}, 1);
  for (int axis = 0; axis < 4; ++axis) {
    std::vector<Tensor> parts;
    Tensor gradient;
    for (const int threads : {1, 2, 3, 8}) {
      set_num_threads(threads);
      OpRunner runner(split({1, x.spec().shape[axis] - 2, 1}, axis), {x});
      runner.forward();
      const Tensor dx = runner.backward(runner.outputs())[0];
      if (threads == 1) {
        parts = runner.outputs();
        gradient = dx;
      }
      for (std::size_t i = 0; i < parts.size(); ++i) expect_same_bytes(runner.outputs()[i], parts[i], "a part");
      expect_same_bytes(dx, gradient, "dx");
      expect_same_bytes(dx, x, "the parts as their gradients");
    }
  }
}

TEST(Split, gives_the_same_at_inference_and_once_more) {
  OpRunner runner(split({2, 5}), {random_tensor({{3, 7, 5, 9}}, 1)});
  const Tensor y = runner.forward();
  expect_same_bytes(runner.inference(), y, "inference");
  expect_same_bytes(runner.recompute(), y, "recompute");
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

TEST(Split, says_what_does_not_fit) {
  expect_throws<ValueError>([] { split({3, -1}); }, "a size is -1, expected at least 1");
  const auto infer = [](std::vector<std::int64_t> sizes, std::int64_t axis) {
    split(std::move(sizes), axis)->infer(std::vector{Spec{{2, 7, 3, 5}}});
  };
  expect_throws<ShapeError>([&] { infer({3, 3}, 1); }, "sizes add up to 6, but axis 1 has 7 elements");
  expect_throws<ShapeError>([&] { infer({3, 3}, -1); }, "sizes add up to 6, but axis 3 has 5 elements");
  expect_throws<ShapeError>([&] { infer({8}, 1); }, "x=(2, 7, 3, 5)");
  expect_throws<ValueError>([&] { infer({2}, 4); }, "axis 4 is out of range for rank 4");
  expect_throws<ValueError>([&] { infer({2}, -5); }, "axis -5 is out of range for rank 4");
  expect_throws<ShapeError>([] { split({2})->infer({}); }, "got 0 inputs, expected 1 (x)");
  expect_throws<DTypeError>([] { split({2})->infer(std::vector{Spec{{1, 2}, DType::int64}}); }, "int64");
}

TEST(Split, an_error_names_the_layer_and_where_x_comes_from) {
  Graph graph;
  const ValueId x = graph.input({{2, 7}}, "x");
  const auto add = [&] { graph.add_node(split({3, 3}), {x}, {"head"}); };
  for (const char* part : {"head (Split 3+3, axis=1)", "sizes add up to 6", "input x"})
    expect_throws<ShapeError>(add, part);
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

// x -> sine -> split along an axis -> sine of each part that is read; each is an output, seeded if `seeded` says so.
GraphRunner sines(std::int64_t axis, unsigned read, unsigned seeded) {
  const Spec spec{{3, 5, 3, 4}, DType::float64};
  Graph graph;
  const ValueId x = graph.add(std::make_shared<SineOp>(), {graph.input(spec, "x", true)}, "first");
  const std::int64_t extent = spec.shape[static_cast<int>(axis)];
  const std::vector<ValueId> parts = graph.add_node(split({1, extent - 2, 1}, axis), {x}, {"split"});
  for (unsigned i = 0; i < 3; ++i)
    if (read >> i & 1U)
      graph.output(graph.add(std::make_shared<SineOp>(), {parts[i]}, "sine" + std::to_string(i)), seeded >> i & 1U);
  return GraphRunner(graph, Mode::training, {random_tensor(spec, 3)});
}

TEST(SplitInAGraph, gradients_match_finite_differences_whichever_parts_are_read_and_seeded) {
  if (is_reference_backend()) GTEST_SKIP() << "which has no split";
  for (const std::int64_t axis : {0, 1, 2, 3})
    for (unsigned read = 1; read < 8; ++read)
      for (unsigned seeded = 0; seeded < 8; ++seeded) {
        if ((seeded & ~read) != 0) continue;
        SCOPED_TRACE("axis " + std::to_string(axis) + ", read " + std::to_string(read) + ", seeded " +
                     std::to_string(seeded));
        sines(axis, read, seeded).expect_gradients_match_finite_differences();
        if (::testing::Test::HasFatalFailure()) return;
      }
}

TEST(SplitInAGraph, parts_are_outputs_themselves_read_or_not_seeded_or_not) {
  if (is_reference_backend()) GTEST_SKIP() << "which has no split";
  for (unsigned seeded = 1; seeded < 8; ++seeded) {
    Graph graph;
    const ValueId x = graph.input({{2, 7}, DType::float64}, "x", true);
    const std::vector<ValueId> parts = graph.add_node(split({3, 3, 1}), {x}, {"split"});
    for (unsigned i = 0; i < 3; ++i) graph.output(parts[i], seeded >> i & 1U);
    graph.output(graph.add(std::make_shared<ProductOp>(), {parts[0], parts[1]}, "product"));
    GraphRunner runner(graph, Mode::training, {random_tensor({{2, 7}, DType::float64}, 3)});
    runner.expect_gradients_match_finite_differences();
    runner.forward();
    for (std::int64_t i = 0; i < 14; ++i) {
      const std::int64_t column = i % 7, part = column / 3;
      const Tensor y = copy_of(runner.executor().output(static_cast<int>(part)));
      EXPECT_EQ(element(y, i / 7 * y.spec().shape[1] + column % 3), element(runner.inputs()[0], i));
    }
  }
}

TEST(SplitInAGraph, gradients_are_right_where_the_parts_are_joined_again) {
  if (is_reference_backend()) GTEST_SKIP() << "which has no split";
  const Spec spec{{2, 6, 3, 5}, DType::float64};
  Graph graph;
  const ValueId x = graph.input(spec, "x", true);
  const ValueId p = graph.parameter(random_parameter(spec, 1), "p");
  const ValueId product = graph.add(std::make_shared<ProductOp>(), {x, p}, "product");
  const std::vector<ValueId> parts = graph.add_node(split({2, 4}), {product}, {"split"});
  const ValueId joined = graph.add(make_op("concat", {{"axis", std::int64_t{1}}}), {parts[1], parts[0]}, "joined");
  graph.output(graph.add(std::make_shared<ProductOp>(), {joined, product}, "end"));
  GraphRunner(graph, Mode::training, {random_tensor(spec, 3)}).expect_gradients_match_finite_differences();
}

// Large enough to be dropped and made again, but for that the part would have to come back first: no step makes parts
// again.
TEST(SplitInAGraph, gradients_are_right_of_what_is_made_cheaply_of_a_large_part) {
  if (is_reference_backend()) GTEST_SKIP() << "which has no split";
  const Spec spec{{2, 8, 128, 256}, DType::float64}, of_part{{2, 5, 128, 256}, DType::float64};
  Graph graph;
  const ValueId x = graph.input(spec, "x", true);
  const std::vector<ValueId> parts = graph.add_node(split({3, 5}), {x}, {"split"});
  const ValueId cheap = graph.add(make_op("pixel_shuffle", {{"factor", std::int64_t{1}}}), {parts[1]}, "cheap");
  const ParameterPtr p = random_parameter(of_part, 1);
  graph.output(graph.add(std::make_shared<ProductOp>(), {cheap, graph.parameter(p, "p")}, "product"));
  GraphRunner runner(graph, Mode::training, {random_tensor(spec, 3)});
  runner.forward();
  runner.executor().fill_output_grads(1);
  runner.executor().backward();
  OpRunner alone(split({3, 5}), {runner.inputs()[0]});
  alone.forward();
  expect_same_bytes(p->grad, alone.outputs()[1], "gradient of p");
  const Tensor dx = alone.backward(std::vector{Tensor(), p->value})[0];
  expect_same_bytes(copy_of(runner.executor().input_grad(0)), dx, "dx");
}

}  // namespace
}  // namespace fastcnn::testing
