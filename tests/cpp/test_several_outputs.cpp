// Graphs of ops with several outputs, of which some may be unread, and some without a gradient.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "graph/passes/passes.h"
#include "graph/train_step.h"
#include "graph_testing.h"
#include "optim/sgd.h"
#include "pair_ops.h"

namespace fastcnn::testing {
namespace {

const Spec vector4{{2, 4}, DType::float64};

template <class O>
ValueId add(Graph& graph, std::vector<ValueId> inputs, std::string name) {
  return graph.add(std::make_shared<O>(), std::move(inputs), std::move(name));
}

TEST(SeveralOutputs, are_values_of_one_node) {
  Graph graph;
  const ValueId x = graph.input(vector4, "x");
  const std::vector<ValueId> parts = graph.add_node(std::make_shared<SplitOp>(), {x}, {"split"});
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(graph.nodes().size(), 1u);
  EXPECT_EQ(graph.nodes()[0].outputs, parts);
  for (const int i : {0, 1}) {
    const Value& value = graph.values()[static_cast<std::size_t>(parts[static_cast<std::size_t>(i)])];
    EXPECT_EQ(value.output, i);
    EXPECT_EQ(value.spec, (Spec{{2, 2}, DType::float64}));
    EXPECT_EQ(graph.producer(parts[static_cast<std::size_t>(i)]), "split");
  }
}

// Bits say which of the two outputs are read, and which of their readers are seeded.
TEST(SeveralOutputs, have_the_gradients_of_finite_differences_whichever_are_read_and_seeded) {
  for (const OpPtr& op : ops_of_two_outputs())
    for (unsigned read = 1; read < 4; ++read)
      for (unsigned seeded = 0; seeded < 4; ++seeded) {
        if ((seeded & ~read) != 0) continue;
        SCOPED_TRACE(std::string(op->kind()) + ", read " + std::to_string(read) + ", seeded " + std::to_string(seeded));
        Graph graph;
        const ValueId x = add<SineOp>(graph, {graph.input(vector4, "x", true)}, "first");
        const std::vector<ValueId> y = graph.add_node(op, {x}, {"pair"});
        for (const unsigned i : {0u, 1u})
          if (read >> i & 1u) graph.output(add<SineOp>(graph, {y[i]}, "last"), seeded >> i & 1u);
        GraphRunner(graph, Mode::training, {random_tensor(vector4, 3)}).expect_gradients_match_finite_differences();
        if (HasFatalFailure()) return;
      }
}

TEST(SeveralOutputs, may_be_outputs_of_the_graph_seeded_or_not) {
  for (const OpPtr& op : ops_of_two_outputs())
    for (unsigned seeded = 0; seeded < 4; ++seeded) {
      SCOPED_TRACE(std::string(op->kind()) + ", seeded " + std::to_string(seeded));
      Graph graph;
      const ValueId x = graph.input(vector4, "x", true);
      const std::vector<ValueId> y = graph.add_node(op, {x}, {"pair"});
      for (const unsigned i : {0u, 1u}) graph.output(y[i], seeded >> i & 1u);
      graph.output(add<ProductOp>(graph, {y[0], y[1]}, "product"));
      GraphRunner runner(graph, Mode::training, {random_tensor(vector4, 3)});
      runner.expect_gradients_match_finite_differences();
      if (HasFatalFailure()) return;
      runner.forward();
      const auto output = [&](int i) { return copy_of(runner.executor().output(i)); };
      for (std::int64_t i = 0; i < output(2).spec().shape.numel(); ++i)
        EXPECT_EQ(element(output(2), i), element(output(0), i) * element(output(1), i));
    }
}

TEST(SeveralOutputs, of_a_node_that_no_gradient_reaches_leave_zeros) {
  for (const OpPtr& op : ops_of_two_outputs()) {
    const ParameterPtr p = random_parameter(vector4, 1);
    p->grad = random_tensor(vector4, 7);
    Graph graph;
    const ValueId x = graph.input(vector4, "x", true);
    const std::vector<ValueId> y = graph.add_node(op, {graph.parameter(p, "p")}, {"pair"});
    graph.output(y[1], false);
    graph.output(add<SineOp>(graph, {x}, "sine"));
    GraphRunner runner(graph, Mode::training, {random_tensor(vector4, 3)});
    runner.forward();
    runner.backward();
    for (std::int64_t i = 0; i < 8; ++i) EXPECT_EQ(element(p->grad, i), 0.0) << op->kind();
  }
}

// Of one or two outputs, with values read never, once or often.
Graph random_graph(unsigned seed) {
  std::mt19937 generator(seed);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(generator() % n); };
  Graph graph;
  std::vector<ValueId> values = {graph.input(vector4, "x", true),
                                 graph.parameter(random_parameter(vector4, seed), "p")};
  const std::size_t nodes = 1 + below(10);
  for (std::size_t n = 0; n < nodes; ++n) {
    const auto pick = [&] { return below(3) == 0 ? values[below(values.size())] : values.back(); };
    const auto add_pair = [&](OpPtr op) {
      std::vector<ValueId> y = graph.add_node(std::move(op), {pick()}, {"pair"});
      if (below(2) == 0) std::swap(y[0], y[1]);
      return y;
    };
    const auto push = [&](const std::vector<ValueId>& y) { values.insert(values.end(), y.begin(), y.end()); };
    switch (below(6)) {
      case 0: push({add<SumOp>(graph, {pick(), pick()}, "sum")}); break;
      case 1: push({add<ProductOp>(graph, {pick(), pick()}, "product")}); break;
      case 2: push({graph.add(activation_op("tanh"), {pick()}, "tanh")}); break;
      case 3: push(add_pair(std::make_shared<SineCosineOp>())); break;
      case 4: push(add_pair(std::make_shared<SquareBellOp>())); break;
      case 5: {
        const std::vector<ValueId> halves = add_pair(std::make_shared<SplitOp>());
        const ValueId other = below(2) == 0 ? halves[1] : add<SineOp>(graph, {halves[0]}, "sine");
        push({add<JoinOp>(graph, {halves[0], other}, "join")});
        break;
      }
    }
    if (below(5) == 0) graph.output(values.back(), below(3) != 0);
  }
  graph.output(values.back());
  return graph;
}

TEST(SeveralOutputs, have_the_gradients_of_finite_differences_in_random_graphs) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    GraphRunner runner(random_graph(seed), Mode::training, {random_tensor(vector4, seed + 50)});
    runner.expect_gradients_match_finite_differences(1e-5);
    if (HasFatalFailure()) return;
  }
}

TEST(SeveralOutputs, are_the_same_bytes_at_inference) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    const Graph graph = random_graph(seed);
    GraphRunner training(graph, Mode::training, {random_tensor(vector4, seed + 50)});
    GraphRunner inference(graph, Mode::inference, {random_tensor(vector4, seed + 50)});
    training.forward();
    inference.forward();
    for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
      const int output = static_cast<int>(i);
      expect_same_bytes(copy_of(inference.executor().output(output)), copy_of(training.executor().output(output)),
                        "seed " + std::to_string(seed));
    }
  }
}

TEST(SeveralOutputs, are_updated_through_as_by_backward_and_update) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    std::vector<Tensor> updated;
    for (const Gradients gradients : {Gradients::in_parameters, Gradients::applied}) {
      const Graph graph = random_graph(seed);
      const ParameterPtr p = graph.parameters()[0].parameter;
      Executor executor(std::make_shared<const Plan>(graph, Mode::training, backend(), gradients));
      Sgd sgd(ParameterGroups{{p}}, backend());
      sgd.configure(0, {.lr = 0.1});
      fill(executor.input(0), random_tensor(vector4, seed + 50));
      if (gradients == Gradients::applied) {
        train_step(executor, sgd, {});
      } else {
        executor.forward({});
        executor.fill_output_grads(1);
        executor.backward();
        sgd.step();
      }
      updated.push_back(copy_of(p->value.view()));
    }
    expect_same_bytes(updated[1], updated[0], "seed " + std::to_string(seed));
  }
}

// Passes

TEST(DropDeadNodes, keeps_a_node_while_one_of_its_outputs_is_read) {
  for (const unsigned read : {0u, 1u}) {
    Graph graph;
    const ValueId x = graph.input(vector4, "x", true);
    const std::vector<ValueId> y = graph.add_node(std::make_shared<SplitOp>(), {x}, {"split"});
    graph.add_node(std::make_shared<SplitOp>(), {x}, {"dead split"});
    add<SineOp>(graph, {y[1 - read]}, "dead");
    graph.output(add<SineOp>(graph, {y[read]}, "sine"));
    const Graph result = drop_dead_nodes(graph);
    ASSERT_EQ(result.nodes().size(), 2u);
    EXPECT_EQ(result.nodes()[0].name(), "split");
    EXPECT_EQ(result.nodes()[0].outputs.size(), 2u);
    EXPECT_EQ(result.nodes()[1].inputs[0], result.nodes()[0].outputs[read]);
  }
}

// Takes in any activation, of which output nobody asks.
class WillingPairOp final : public TestOp {
 public:
  std::string_view kind() const override { return "willing pair"; }
  std::string describe(Specs) const override { return "WillingPair"; }
  std::vector<Spec> infer(Specs x) const override { return {x[0], x[0]}; }
  Needs backward_needs(Specs) const override { return {}; }
  OpPtr fused_with(const Epilogue&, Specs) const override { return std::make_shared<WillingPairOp>(); }
  void forward(const StepArgs&) const override {}
  void backward(const StepArgs&) const override {}
};

TEST(FuseActivations, leaves_a_node_of_several_outputs) {
  for (const unsigned read : {0u, 1u}) {
    Graph graph;
    const std::vector<ValueId> y =
        graph.add_node(std::make_shared<WillingPairOp>(), {graph.input(vector4, "x")}, {"pair"});
    graph.output(graph.add(activation_op("relu"), {y[read]}, "relu"));
    EXPECT_EQ(fuse_activations(graph, Mode::inference).nodes().size(), 2u);
  }
}

// pair -> fc -> + the other output -> tanh: one step, of which the residual is an output of the pair.
TEST(FuseAdds, takes_in_one_of_several_outputs_as_the_residual) {
  const Spec square4{{4, 4}, DType::float64};
  for (const OpPtr& op : {ops_of_two_outputs()[1], ops_of_two_outputs()[2]})
    for (const unsigned residual : {0u, 1u}) {
      Graph graph;
      const std::vector<ValueId> y = graph.add_node(op, {graph.input(square4, "x", true)}, {"pair"});
      const ValueId w = graph.parameter(random_parameter(square4, 1), "fc.weight");
      const ValueId fc = graph.add(make_op("linear", {}), {y[1 - residual], w, no_value}, "fc");
      const ValueId sum = graph.add(make_op("add", {}), {fc, y[residual]}, "sum");
      graph.output(graph.add(activation_op("tanh"), {sum}, "tanh"));
      GraphRunner runner(graph, Mode::training, {random_tensor(square4, 3)});
      ASSERT_EQ(runner.graph().nodes().size(), 2u);
      EXPECT_EQ(runner.graph().nodes()[1].name(), "fc + sum + tanh");
      runner.expect_gradients_match_finite_differences();
      if (HasFatalFailure()) return;
    }
}

// Recomputation, which is of values from 1 MiB on.

struct Large {
  Graph graph;
  Spec spec{{256, 512}, DType::float64};
  ValueId sine = add<SineOp>(graph, {graph.input(spec, "x", true)}, "sine");
  ValueId before = graph.add(activation_op("tanh"), {sine}, "before");
  std::vector<ValueId> pair = graph.add_node(std::make_shared<SquareBellOp>(), {before}, {"pair"});
  ValueId after = graph.add(activation_op("tanh"), {pair[0]}, "after");

  // The names of steps that compute a value again, output and gradient.
  std::pair<std::vector<std::string>, std::vector<Tensor>> run() const {
    GraphRunner runner(graph, Mode::training, {random_tensor(spec, 5)});
    std::vector<std::string> names;
    const Plan& plan = runner.executor().plan();
    for (const Step& step : plan.backward_steps())
      if (step.kind == Step::Kind::recompute) names.push_back(plan.step_name(step));
    runner.forward();
    runner.backward();
    return {names, {copy_of(runner.executor().output(0)), copy_of(runner.executor().input_grad(0))}};
  }
  void expect_same_as_without_recomputation(const std::vector<std::string>& recomputed) {
    const auto [names, dropping] = run();
    EXPECT_EQ(names, recomputed);
    for (const ValueId v : {before, after}) graph.output(v, false);  // which the caller may look at
    const auto [no_names, keeping] = run();
    EXPECT_EQ(no_names, std::vector<std::string>{});
    for (std::size_t i = 0; i < keeping.size(); ++i) expect_same_bytes(dropping[i], keeping[i], std::to_string(i));
  }
};

TEST(SeveralOutputs, of_a_value_that_is_made_again_and_what_is_made_again_from_them_are_the_same_bytes) {
  Large net;
  ValueId v = add<ProductOp>(net.graph, {net.pair[0], net.pair[1]}, "product of the pair");  // which keeps both
  v = add<ProductOp>(net.graph, {v, net.after}, "product");
  net.graph.output(add<ProductOp>(net.graph, {v, net.sine}, "end"));  // which keeps the sine
  net.expect_same_as_without_recomputation({"after again", "before again"});
}

TEST(SeveralOutputs, are_not_made_again_themselves) {
  Large net;  // what comes after would rest on an output that nobody keeps
  net.graph.output(add<ProductOp>(net.graph, {net.after, net.sine}, "end"));
  net.expect_same_as_without_recomputation({"before again"});
}

}  // namespace
}  // namespace fastcnn::testing
