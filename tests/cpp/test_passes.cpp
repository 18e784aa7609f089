#include "graph/passes/passes.h"

#include <gtest/gtest.h>

#include <tuple>

#include "graph_testing.h"

namespace fastcnn::testing {
namespace {

const Spec square4{{4, 4}, DType::float64};

// Takes in any activation.
class WillingOp final : public TestOp {
 public:
  std::string_view kind() const override { return "willing"; }
  std::string describe(Specs) const override { return "Willing"; }
  std::vector<Spec> infer(Specs x) const override { return {x[0]}; }
  Needs backward_needs(Specs) const override { return {}; }
  OpPtr fused_with(const Epilogue& epilogue, Specs) const override {
    return std::holds_alternative<Activation>(epilogue) ? std::make_shared<WillingOp>() : nullptr;
  }
  void forward(const StepArgs&) const override {}
  void backward(const StepArgs&) const override {}
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
  EXPECT_EQ(result.nodes()[0].name(), "a");
  EXPECT_EQ(result.nodes()[1].name(), "c");
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
    EXPECT_EQ(result.nodes()[0].name(), "fc + act");
    EXPECT_EQ(result.outputs()[0].value, result.nodes()[0].outputs[0]);
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
  EXPECT_EQ(result.nodes()[0].name(), "fc + act");
  EXPECT_EQ(result.nodes()[1].name(), "act2");
  GraphRunner(chain.graph, Mode::training, {random_tensor(square4, 3)}).expect_gradients_match_finite_differences();
}

TEST(FuseActivations, leaves_activations_of_inputs_and_parameters) {
  Graph graph;
  graph.output(graph.add(activation_op("relu"), {graph.input(square4, "x")}, "a"));
  graph.output(graph.add(activation_op("relu"), {graph.parameter(random_parameter(square4, 1), "p")}, "b"));
  EXPECT_EQ(fuse_activations(graph, Mode::inference).nodes().size(), 2u);
}

// A residual block with batch norms, of convolutions or linear layers, whose last value goes through `f`.
struct Block {
  enum class Kind { convolutions, linear_layers };

  Block(Kind kind, const char* f, bool with_norms) : kind_(kind), with_norms_(with_norms) {
    const Spec input = kind == Kind::convolutions ? Spec{{2, 4, 5, 5}, DType::float64} : Spec{{6, 4}, DType::float64};
    const ValueId x = graph.input(input, "x", true);
    ValueId a = graph.add(activation_op("relu"), {layer(x, "a")}, "a.relu");
    const ValueId b = layer(a, "b");
    const ValueId c = layer(x, "c");
    ValueId sum = graph.add(make_op("add", {}), {b, c}, "sum");
    sum = graph.add(activation_op(f), {sum}, "f");
    graph.output(sum);
  }

  // The same, with every value an output: nothing can be fused.
  Graph unfused() const {
    Graph copy = graph;
    for (const Node& node : graph.nodes()) copy.output(node.outputs[0], false);
    return copy;
  }

  Graph graph;

 private:
  ValueId layer(ValueId x, const std::string& name) {
    const auto parameter = [&](const Spec& spec, const char* what, double shift = 0) {
      ParameterPtr p = random_parameter(spec, ++seed_);
      for (std::int64_t i = 0; i < spec.shape.numel(); ++i) static_cast<double*>(p->value.data())[i] += shift;
      return graph.parameter(p, name + what);
    };
    const bool convolves = kind_ == Kind::convolutions;
    const Spec channels{{4}, DType::float64};
    const ValueId w = parameter({convolves ? Shape{4, 4, 3, 3} : Shape{4, 4}, DType::float64}, ".weight");
    const ValueId b = parameter(channels, ".bias");
    ValueId y = convolves ? graph.add(make_op("conv2d", {{"pad", std::int64_t{1}}}), {x, w, b}, name)
                          : graph.add(make_op("linear", {}), {x, w, b}, name);
    if (!with_norms_) return y;
    std::vector<ValueId> inputs{y, parameter(channels, ".gamma"), parameter(channels, ".beta"),
                                parameter(channels, ".mean"), parameter(channels, ".var", 1.5)};
    for (std::size_t i = 3; i < 5; ++i) {
      const auto index = static_cast<std::size_t>(graph.values()[static_cast<std::size_t>(inputs[i])].index);
      graph.parameters()[index].parameter->requires_grad = false;
    }
    return graph.add(make_op("batch_norm", {}), inputs, name + ".norm");
  }

  Kind kind_;
  bool with_norms_;
  unsigned seed_ = 0;
};

std::vector<std::string> names(const Graph& graph) {
  std::vector<std::string> result;
  for (const Node& node : graph.nodes()) result.push_back(node.name());
  return result;
}

class Blocks : public ::testing::TestWithParam<std::tuple<Block::Kind, const char*, bool>> {
 protected:
  Block block{std::get<0>(GetParam()), std::get<1>(GetParam()), std::get<2>(GetParam())};
  bool has_norms = std::get<2>(GetParam());
  Tensor x = random_tensor(block.graph.spec(block.graph.inputs()[0].value), 50);

  static void expect_equal(ConstView got, ConstView expected, const std::string& what) {
    ASSERT_EQ(got.spec, expected.spec) << what;
    for (std::int64_t i = 0; i < got.spec.shape.numel(); ++i) {
      ASSERT_NEAR(got.as<double>()[i], expected.as<double>()[i], 1e-11) << what << ", element " << i;
    }
  }
};

TEST_P(Blocks, at_inference_are_one_step_per_layer_with_the_same_results) {
  GraphRunner fused(block.graph, Mode::inference, {x});
  GraphRunner unfused(block.unfused(), Mode::inference, {x});
  ASSERT_EQ(unfused.graph().nodes().size(), block.graph.nodes().size());
  EXPECT_EQ(names(fused.graph()), has_norms ? (std::vector<std::string>{"a + a.norm + a.relu", "b + b.norm",
                                                                        "c + c.norm + sum + f"})
                                            : (std::vector<std::string>{"a + a.relu", "b", "c + sum + f"}));
  fused.forward();
  unfused.forward();
  expect_equal(fused.executor().output(0), unfused.executor().output(0), "output");
}

TEST_P(Blocks, in_training_keep_their_results_and_gradients) {
  GraphRunner fused(block.graph, Mode::training, {x});
  EXPECT_EQ(names(fused.graph()), has_norms ? (std::vector<std::string>{"a", "a.norm + a.relu", "b", "b.norm", "c",
                                                                        "c.norm + sum + f"})
                                            : (std::vector<std::string>{"a + a.relu", "b", "c + sum + f"}));
  fused.forward();
  fused.backward();
  const Tensor y = copy_of(fused.executor().output(0));
  std::vector<Tensor> gradients{copy_of(fused.executor().input_grad(0))};
  for (const GraphParameter& p : block.graph.parameters()) {
    if (p.parameter->requires_grad) gradients.push_back(copy_of(p.parameter->grad.view()));
    p.parameter->has_grad = false;
  }
  GraphRunner unfused(block.unfused(), Mode::training, {x});
  unfused.forward();
  unfused.backward();
  expect_equal(unfused.executor().output(0), y.view(), "output");
  expect_equal(unfused.executor().input_grad(0), gradients[0].view(), "x");
  std::size_t i = 1;
  for (const GraphParameter& p : block.graph.parameters()) {
    if (p.parameter->requires_grad) expect_equal(p.parameter->grad.view(), gradients[i++].view(), p.name);
  }
}

INSTANTIATE_TEST_SUITE_P(Passes, Blocks,
                         ::testing::Combine(::testing::Values(Block::Kind::convolutions, Block::Kind::linear_layers),
                                            ::testing::Values("relu", "tanh", "identity"), ::testing::Bool()));

TEST(FoldNorms, follows_the_parameters_and_the_running_statistics) {
  Block block(Block::Kind::convolutions, "relu", true);
  const Tensor x = random_tensor({{2, 4, 5, 5}, DType::float64}, 50);
  GraphRunner fused(block.graph, Mode::inference, {x});
  GraphRunner unfused(block.unfused(), Mode::inference, {x});
  fused.forward();
  GraphRunner(block.graph, Mode::training, {x}).forward();  // moves the running statistics
  for (const int changed : {-1, 0, 1, 2}) {  // then weight, bias, gamma
    if (changed >= 0) {
      Parameter& parameter = *block.graph.parameters()[static_cast<std::size_t>(changed)].parameter;
      static_cast<double*>(parameter.value.data())[0] += 1;
      ++parameter.version;
    }
    fused.forward();
    unfused.forward();
    for (std::int64_t i = 0; i < 200; ++i) {
      ASSERT_NEAR(element(copy_of(fused.executor().output(0)), i), element(copy_of(unfused.executor().output(0)), i),
                  1e-11);
    }
  }
}

TEST(FoldNorms, leaves_a_norm_of_the_batch_or_of_another_readers_value) {
  Graph graph;
  const ValueId x = graph.input(square4, "x");
  const Spec channels{{4}, DType::float64};
  const ValueId w = graph.parameter(random_parameter(square4, 1), "w");
  const ValueId a = graph.add(make_op("linear", {}), {x, w, no_value}, "a");
  const ValueId batch = graph.add(make_op("batch_norm", {}), {a, no_value, no_value, no_value, no_value}, "batch");
  const ValueId b = graph.add(make_op("linear", {}), {batch, w, no_value}, "b");
  const ValueId mean = graph.parameter(random_parameter(channels, 2), "mean");
  const ValueId var = graph.parameter(random_parameter(channels, 3), "var");
  graph.output(graph.add(make_op("batch_norm", {}), {b, no_value, no_value, mean, var}, "read_twice"));
  graph.output(b);
  EXPECT_EQ(fold_norms(graph).nodes().size(), 4u);
}

TEST(FuseAdds, leaves_a_value_added_to_itself_and_values_that_others_read) {
  Graph graph;
  const ValueId x = graph.input(square4, "x");
  const ValueId w = graph.parameter(random_parameter(square4, 1), "w");
  const ValueId a = graph.add(make_op("linear", {}), {x, w, no_value}, "a");
  graph.output(graph.add(make_op("add", {}), {a, a}, "twice"));
  const ValueId b = graph.add(make_op("linear", {}), {x, w, no_value}, "b");
  graph.output(graph.add(make_op("add", {}), {b, x}, "sum"));
  graph.output(b);
  EXPECT_EQ(fuse_adds(graph).nodes().size(), 4u);
}

TEST(FuseAdds, takes_the_sum_of_a_sum_step_by_step) {
  Graph graph;
  const ValueId x = graph.input(square4, "x", true);
  const ValueId w = graph.parameter(random_parameter(square4, 1), "w");
  ValueId v = x;
  for (const char* name : {"a", "b"}) {
    v = graph.add(make_op("add", {}), {graph.add(make_op("linear", {}), {v, w, no_value}, name), v}, name);
  }
  graph.output(v);
  GraphRunner runner(graph, Mode::training, {random_tensor(square4, 3)});
  EXPECT_EQ(names(runner.graph()), (std::vector<std::string>{"a + a", "b + b"}));
  runner.expect_gradients_match_finite_differences();
}

TEST(RunPasses, a_dead_reader_does_not_keep_a_layer_from_being_fused) {
  Chain chain("relu");
  chain.graph.add(activation_op("tanh"), {chain.fc}, "dead");
  chain.graph.output(chain.y);
  EXPECT_EQ(run_passes(chain.graph, Mode::training).nodes().size(), 1u);
}

}  // namespace
}  // namespace fastcnn::testing
