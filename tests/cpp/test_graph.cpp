#include "graph/graph.h"

#include <gtest/gtest.h>

#include "graph_testing.h"
#include "message_of.h"

namespace fastcnn::testing {
namespace {

Spec f32(Shape shape) { return {shape, DType::float32}; }

// Refuses everything, with an error of type E.
template <class E>
class RefusingOp final : public TestOp {
 public:
  std::string_view kind() const override { return "refusing"; }
  std::string describe(Specs x) const override {
    if (x.size() > 2) throw ShapeError("indescribable");
    return "Conv2d 96→256, groups=2";
  }
  std::vector<Spec> infer(Specs) const override { throw E("input has 64 channels, expected 96", 0); }
  Needs backward_needs(Specs) const override { return {}; }
  void forward(const StepArgs&) const override {}
  void backward(const StepArgs&) const override {}
};

TEST(Graph, error_names_layer_op_producer_and_shape) {
  Graph graph;
  const ValueId x = graph.input(f32({8, 64, 27, 27}), "x");
  const ValueId pool = graph.add(activation_op("relu"), {x}, "pool1");
  const ValueId w = graph.parameter(std::make_shared<Parameter>(f32({4})), "conv2.weight");
  EXPECT_EQ(message_of([&] { graph.add(std::make_shared<RefusingOp<ShapeError>>(), {pool, w}, "conv2"); }),
            "conv2 (Conv2d 96→256, groups=2): input has 64 channels, expected 96, from pool1; x=(8, 64, 27, 27)");
  EXPECT_EQ(message_of([&] { graph.add(std::make_shared<RefusingOp<ShapeError>>(), {x}, "conv2"); }),
            "conv2 (Conv2d 96→256, groups=2): input has 64 channels, expected 96, from input x; x=(8, 64, 27, 27)");
}

TEST(Graph, error_shows_all_inputs_that_flow_through_the_model) {
  Graph graph;
  const ValueId x = graph.input(f32({8, 64}), "x");
  const ValueId y = graph.input(f32({8, 32}), "y");
  const ValueId b = graph.add(activation_op("relu"), {y}, "branch");
  EXPECT_EQ(message_of([&] { graph.add(std::make_shared<SumOp>(), {x, b}, "residual"); }),
            "residual (Sum): inputs have unequal shapes; x=(8, 64) from input x, (8, 32) from branch");
}

TEST(Graph, error_keeps_its_type) {
  Graph graph;
  const ValueId x = graph.input(f32({4}), "x");
  EXPECT_THROW(graph.add(std::make_shared<RefusingOp<ShapeError>>(), {x}, "a"), ShapeError);
  EXPECT_THROW(graph.add(std::make_shared<RefusingOp<DTypeError>>(), {x}, "a"), DTypeError);
  EXPECT_THROW(graph.add(std::make_shared<RefusingOp<ValueError>>(), {x}, "a"), ValueError);
  EXPECT_THROW(graph.add(std::make_shared<RefusingOp<UnsupportedError>>(), {x}, "a"), UnsupportedError);
}

TEST(Graph, error_falls_back_to_the_kind_of_an_op_that_cannot_describe_itself) {
  Graph graph;
  const ValueId x = graph.input(f32({4}), "x");
  const std::string message = message_of([&] { graph.add(std::make_shared<RefusingOp<ShapeError>>(), {x, x, x}, "a"); });
  EXPECT_TRUE(message.starts_with("a (refusing): input has 64 channels")) << message;
}

TEST(Graph, refused_node_leaves_the_graph_as_it_was) {
  Graph graph;
  const ValueId x = graph.input(f32({4}), "x");
  EXPECT_THROW(graph.add(std::make_shared<RefusingOp<ShapeError>>(), {x}, "a"), ShapeError);
  EXPECT_TRUE(graph.nodes().empty());
  EXPECT_EQ(graph.values().size(), 1u);
}

TEST(Graph, same_parameter_given_twice_is_one_value) {
  Graph graph;
  const auto p = std::make_shared<Parameter>(f32({4}));
  const ValueId first = graph.parameter(p, "first");
  EXPECT_EQ(graph.parameter(p, "second"), first);
  ASSERT_EQ(graph.parameters().size(), 1u);
  EXPECT_EQ(graph.parameters()[0].name, "first");
}

TEST(Graph, refuses_values_it_does_not_have) {
  Graph graph;
  const ValueId x = graph.input(f32({4}), "x");
  EXPECT_THROW(graph.add(activation_op("relu"), {x + 1}, "a"), ValueError);
  EXPECT_THROW(graph.add(activation_op("relu"), {-2}, "a"), ValueError);
  EXPECT_THROW(graph.add(activation_op("relu"), {no_value}, "a"), ValueError);
  EXPECT_THROW(graph.output(x + 1), ValueError);
}

TEST(Graph, only_floating_point_values_have_gradients) {
  Graph graph;
  const ValueId labels = graph.input({{4}, DType::int64}, "labels");
  EXPECT_THROW(graph.output(labels), DTypeError);
  graph.output(labels, false);
  EXPECT_THROW(graph.input({{4}, DType::int64}, "ids", true), DTypeError);
}

TEST(Graph, tells_who_makes_a_value) {
  Graph graph;
  const ValueId x = graph.input(f32({4}), "x");
  const ValueId p = graph.parameter(std::make_shared<Parameter>(f32({4})), "conv1.weight");
  EXPECT_EQ(graph.producer(x), "input x");
  EXPECT_EQ(graph.producer(p), "parameter conv1.weight");
  EXPECT_EQ(graph.producer(graph.add(activation_op("relu"), {x}, "relu1")), "relu1");
}

}  // namespace
}  // namespace fastcnn::testing
