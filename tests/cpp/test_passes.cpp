#include "graph/passes/passes.h"

#include <gtest/gtest.h>

#include "graph_testing.h"

namespace fastcnn::testing {
namespace {

const Spec square4{{4, 4}, DType::float64};

// Takes in any activation.
class WillingOp final : public Op {
 public:
  std::string_view kind() const override { return "willing"; }
  std::string describe(Specs) const override { return "Willing"; }
  Spec infer(Specs x) const override { return x[0]; }
  Needs backward_needs(Specs) const override { return {}; }
  OpPtr fused_with(const Activation&) const override { return std::make_shared<WillingOp>(); }
  void forward(const ForwardArgs&) const override {}
  void backward(const BackwardArgs&) const override {}
};

// x -> fc -> activation, with fc's value in hand.
struct Chain {
  Graph graph;
  ValueId x = graph.input(square4, "x", true);
  ValueId w = graph.parameter(random_parameter(square4, 1), "fc.weight");
  ValueId fc = graph.add(make_op("linear", {}), {x, w, no_value}, "fc");
  ValueId y;

  explicit Chain(const char* activation) : y(graph.add(activation_op(activation), {fc}, "act")) {}
};

TEST(DropDeadNodes, keeps_what_outputs_depend_on_and_all_inputs_and_parameters) {
  Graph graph;
  const ValueId x = graph.input(square4, "x");
  graph.input(square4, "unread");
  const ValueId a = graph.add(activation_op("tanh"), {x}, "a");
  graph.add(activation_op("relu"), {a}, "dead");
  const ValueId c = graph.add(activation_op("sigmoid"), {a}, "c");
  graph.parameter(random_parameter(square4, 1), "unused");
  graph.output(c, false);
  graph.output(x);
  const Graph result = drop_dead_nodes(graph);
  ASSERT_EQ(result.nodes().size(), 2u);
  EXPECT_EQ(result.nodes()[0].name, "a");
  EXPECT_EQ(result.nodes()[1].name, "c");
  ASSERT_EQ(result.inputs().size(), 2u);
  EXPECT_EQ(result.inputs()[1].name, "unread");
  EXPECT_EQ(result.parameters().size(), 1u);
  ASSERT_EQ(result.outputs().size(), 2u);
  EXPECT_EQ(result.producer(result.outputs()[0].value), "c");
  EXPECT_FALSE(result.outputs()[0].seeded);
  EXPECT_EQ(result.producer(result.outputs()[1].value), "input x");
  EXPECT_TRUE(result.outputs()[1].seeded);
}

TEST(FuseActivations, moves_an_activation_into_the_layer_that_alone_feeds_it) {
  for (const Mode mode : {Mode::inference, Mode::training}) {
    Chain chain("tanh");
    chain.graph.output(chain.y);
    const Graph result = fuse_activations(chain.graph, mode);
    ASSERT_EQ(result.nodes().size(), 1u);
    EXPECT_EQ(result.nodes()[0].name, "fc + act");
    EXPECT_EQ(result.outputs()[0].value, result.nodes()[0].output);
  }
}

TEST(FuseActivations, keeps_results_and_gradients) {
  Chain chain("tanh");
  chain.graph.output(chain.y);
  GraphRunner runner(chain.graph, Mode::training, {random_tensor(square4, 3)});
  ASSERT_EQ(runner.graph().nodes().size(), 1u);
  runner.expect_gradients_match_finite_differences();
}

TEST(FuseActivations, in_training_leaves_an_activation_whose_gradient_needs_its_input) {
  Graph graph;
  const ValueId v = graph.add(std::make_shared<WillingOp>(), {graph.input(square4, "x")}, "v");
  graph.output(graph.add(activation_op("square"), {v}, "square"));
  EXPECT_EQ(fuse_activations(graph, Mode::training).nodes().size(), 2u);
  EXPECT_EQ(fuse_activations(graph, Mode::inference).nodes().size(), 1u);
}

TEST(FuseActivations, leaves_a_layer_whose_value_somebody_else_reads) {
  Chain chain("relu");
  chain.graph.output(chain.graph.add(std::make_shared<SumOp>(), {chain.y, chain.fc}, "sum"));
  EXPECT_EQ(fuse_activations(chain.graph, Mode::inference).nodes().size(), 3u);
}

TEST(FuseActivations, leaves_a_layer_whose_value_is_an_output) {
  Chain chain("relu");
  chain.graph.output(chain.y);
  chain.graph.output(chain.fc, false);
  EXPECT_EQ(fuse_activations(chain.graph, Mode::inference).nodes().size(), 2u);
}

TEST(FuseActivations, takes_in_one_activation_of_two) {
  Chain chain("relu");
  chain.graph.output(chain.graph.add(activation_op("tanh"), {chain.y}, "act2"));
  const Graph result = fuse_activations(chain.graph, Mode::training);
  ASSERT_EQ(result.nodes().size(), 2u);
  EXPECT_EQ(result.nodes()[0].name, "fc + act");
  EXPECT_EQ(result.nodes()[1].name, "act2");
  GraphRunner(chain.graph, Mode::training, {random_tensor(square4, 3)}).expect_gradients_match_finite_differences();
}

TEST(FuseActivations, leaves_activations_of_inputs_and_parameters) {
  Graph graph;
  graph.output(graph.add(activation_op("relu"), {graph.input(square4, "x")}, "a"));
  graph.output(graph.add(activation_op("relu"), {graph.parameter(random_parameter(square4, 1), "p")}, "b"));
  EXPECT_EQ(fuse_activations(graph, Mode::inference).nodes().size(), 2u);
}

TEST(RunPasses, a_dead_reader_does_not_keep_a_layer_from_being_fused) {
  Chain chain("relu");
  chain.graph.add(activation_op("tanh"), {chain.fc}, "dead");
  chain.graph.output(chain.y);
  EXPECT_EQ(run_passes(chain.graph, Mode::training).nodes().size(), 1u);
}

}  // namespace
}  // namespace fastcnn::testing
