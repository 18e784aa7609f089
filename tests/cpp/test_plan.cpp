#include "graph/plan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "graph_testing.h"

namespace fastcnn::testing {
namespace {

const Spec square4{{4, 4}, DType::float64};

bool same_place(const Place& a, const Place& b) { return a.where == b.where && a.at == b.at; }

std::vector<Step::Kind> kinds(const std::vector<Step>& steps) {
  std::vector<Step::Kind> result;
  for (const Step& step : steps) result.push_back(step.kind);
  return result;
}

// x -> fc1 -> tanh1 -> fc2 -> ... , fused or not as the passes please.
Graph mlp(int layers, bool input_requires_grad, Spec spec = square4) {
  Graph graph;
  ValueId v = graph.input(spec, "x", input_requires_grad);
  for (int i = 1; i <= layers; ++i) {
    const std::string name = "fc" + std::to_string(i);
    const ValueId w = graph.parameter(random_parameter(square4, static_cast<unsigned>(i)), name + ".weight");
    v = graph.add(make_op("linear", {}), {v, w, no_value}, name);
    v = graph.add(activation_op("tanh"), {v}, "tanh" + std::to_string(i));
  }
  graph.output(v);
  return graph;
}

TEST(Plan, for_inference_has_no_backward_steps_and_keeps_nothing) {
  const Plan plan(mlp(8, true), Mode::inference, backend());
  EXPECT_TRUE(plan.backward_steps().empty());
  EXPECT_FALSE(plan.input_grads().size() > 0 && plan.input_grads()[0]);
  // The input, and two values by turns.
  EXPECT_LE(plan.arena_bytes() - plan.scratch().shared, 3 * square4.bytes());
}

TEST(Plan, arena_of_training_is_smaller_than_the_sum_of_values) {
  const Graph graph = mlp(8, false);
  const Plan plan(graph, Mode::training, backend());
  std::size_t sum = 0;
  for (const Value& value : plan.graph().values()) {
    if (value.kind != Value::Kind::parameter) sum += 2 * align_up(value.spec.bytes());  // and its gradient
  }
  EXPECT_LT(plan.arena_bytes(), sum);
}

TEST(Plan, does_not_compute_a_gradient_that_nobody_asks_for) {
  const Plan plan(mlp(2, false), Mode::training, backend());
  const Step& last = plan.backward_steps().back();
  EXPECT_EQ(plan.step_name(last), "fc1 + tanh1 backward");
  EXPECT_FALSE(last.dx[0]);
  EXPECT_EQ(last.dx[1].where, Place::Where::parameter_grad);
  EXPECT_FALSE(plan.input_grads()[0]);
  const Plan asked(mlp(2, true), Mode::training, backend());
  EXPECT_TRUE(asked.backward_steps().back().dx[0]);
  EXPECT_TRUE(same_place(asked.input_grads()[0], asked.backward_steps().back().dx[0]));
}

TEST(Plan, stops_backward_at_the_first_layer_that_trains) {
  const Graph graph = mlp(4, false);
  graph.parameters()[0].parameter->requires_grad = false;
  graph.parameters()[1].parameter->requires_grad = false;
  const Plan plan(graph, Mode::training, backend());
  ASSERT_EQ(plan.backward_steps().size(), 2u);
  EXPECT_FALSE(plan.backward_steps().back().dx[0]);
  for (const GraphParameter& p : graph.parameters()) p.parameter->requires_grad = false;
  EXPECT_TRUE(Plan(graph, Mode::training, backend()).backward_steps().empty());
}

TEST(Plan, runs_a_chain_of_elementwise_ops_in_place) {
  Graph graph;
  const ValueId x = graph.input(square4, "x", true);
  ValueId v = graph.add(std::make_shared<SineOp>(), {x}, "sine");
  for (const char* name : {"a", "b", "c"}) v = graph.add(activation_op("linear"), {v}, name);
  graph.output(graph.add(std::make_shared<SineOp>(), {v}, "end"));
  const Plan plan(graph, Mode::training, backend());
  const auto& forward = plan.forward_steps();
  for (std::size_t i = 1; i <= 3; ++i) EXPECT_TRUE(same_place(forward[i].y[0], forward[i].x[0])) << i;
  const auto& backward = plan.backward_steps();
  for (std::size_t i = 1; i <= 3; ++i) EXPECT_TRUE(same_place(backward[i].dx[0], backward[i].dy[0])) << i;
}

TEST(Plan, never_overwrites_an_input_a_parameter_or_an_output) {
  Graph graph;
  const ValueId x = graph.input(square4, "x", true);
  const ValueId p = graph.parameter(random_parameter(square4, 1), "p");
  graph.add(activation_op("linear"), {x}, "a");
  graph.output(graph.add(activation_op("linear"), {x}, "of_input"));
  const ValueId b = graph.add(activation_op("linear"), {p}, "of_parameter");
  graph.output(b);
  graph.output(graph.add(activation_op("linear"), {b}, "of_output"));
  const Plan plan(graph, Mode::inference, backend());
  for (const Step& step : plan.forward_steps()) EXPECT_FALSE(same_place(step.y[0], step.x[0])) << plan.step_name(step);
}

TEST(Plan, never_overwrites_what_backward_reads) {
  Graph graph;
  const ValueId x = graph.input(square4, "x", true);
  const ValueId t = graph.add(activation_op("tanh"), {x}, "tanh");     // its backward reads its output
  const ValueId l = graph.add(activation_op("linear"), {t}, "linear");  // would run in place
  const ValueId s = graph.add(activation_op("square"), {l}, "square");  // its backward reads its input
  graph.output(s);
  const Plan training(graph, Mode::training, backend());
  for (const Step& step : training.forward_steps()) EXPECT_FALSE(same_place(step.y[0], step.x[0]));
  const Plan inference(graph, Mode::inference, backend());
  for (std::size_t i = 1; i < 3; ++i) {
    EXPECT_TRUE(same_place(inference.forward_steps()[i].y[0], inference.forward_steps()[i].x[0]));
  }
}

TEST(Plan, sums_gradients_of_a_value_with_two_readers_in_one_step) {
  Graph graph;
  const ValueId x = graph.input(square4, "x", true);
  const ValueId a = graph.add(activation_op("tanh"), {x}, "a");
  const ValueId b = graph.add(std::make_shared<SineOp>(), {a}, "b");
  graph.output(graph.add(std::make_shared<SumOp>(), {a, b}, "residual"));
  const Plan plan(graph, Mode::training, backend());
  using enum Step::Kind;
  EXPECT_EQ(kinds(plan.backward_steps()), (std::vector{backward, backward, accumulate, backward}));
}

TEST(Plan, writes_the_first_gradient_of_a_shared_parameter_straight_to_its_place) {
  Graph graph;
  const ValueId p = graph.parameter(random_parameter(square4, 1), "p");
  ValueId v = graph.input(square4, "x");
  for (const char* name : {"a", "b"}) v = graph.add(std::make_shared<ProductOp>(), {v, p}, name);
  graph.output(v);
  const Plan plan(graph, Mode::training, backend());
  using enum Step::Kind;
  ASSERT_EQ(kinds(plan.backward_steps()), (std::vector{backward, backward, accumulate}));
  EXPECT_EQ(plan.backward_steps()[0].dx[1].where, Place::Where::parameter_grad);
  EXPECT_EQ(plan.backward_steps()[1].dx[1].where, Place::Where::arena);
  EXPECT_EQ(plan.backward_steps()[2].y[0].where, Place::Where::parameter_grad);
}

TEST(Plan, that_applies_gradients_updates_each_parameter_when_its_gradient_is_complete) {
  Graph graph;
  const ValueId p = graph.parameter(random_parameter(square4, 1), "p");
  const ValueId q = graph.parameter(random_parameter(square4, 2), "q");
  ValueId v = graph.input(square4, "x");
  for (const ValueId weight : {p, p, q}) v = graph.add(std::make_shared<ProductOp>(), {v, weight}, "product");
  graph.output(v);
  const Plan plan(graph, Mode::training, backend(), Gradients::applied);
  using enum Step::Kind;
  const auto& steps = plan.backward_steps();
  ASSERT_EQ(kinds(steps), (std::vector{backward, update, backward, backward, accumulate, update}));
  EXPECT_EQ(plan.step_name(steps[1]), "q update");
  EXPECT_EQ(plan.step_name(steps[5]), "p update");
  EXPECT_EQ(steps[5].y[0].where, Place::Where::parameter);
  EXPECT_TRUE(same_place(steps[1].x[0], steps[0].dx[1]));
  EXPECT_TRUE(same_place(steps[5].x[0], steps[4].y[0]));
  EXPECT_EQ(plan.cost(steps[1]).bytes, 3 * static_cast<std::int64_t>(square4.bytes()));
  for (const Step& step : steps) {
    for (const Place& dx : step.dx) EXPECT_NE(dx.where, Place::Where::parameter_grad);
  }
}

TEST(Plan, that_applies_gradients_uses_their_memory_again) {
  const Graph few = mlp(2, false, {{1, 4}, DType::float64}), many = mlp(12, false, {{1, 4}, DType::float64});
  const auto arena = [](const Graph& graph) {
    return Plan(graph, Mode::training, backend(), Gradients::applied).arena_bytes();
  };
  // Ten layers more, and not one more gradient of weights.
  EXPECT_LT(arena(many), arena(few) + 10 * 2 * align_up(4 * sizeof(double)));
}

TEST(Plan, of_an_empty_batch_works) {
  Graph graph = mlp(2, true, {{0, 4}, DType::float64});
  GraphRunner runner(graph, Mode::training, {Tensor({{0, 4}, DType::float64})});
  runner.forward();
  runner.backward();
  EXPECT_EQ(runner.executor().output(0).spec.shape, (Shape{0, 4}));
  EXPECT_EQ(element(copy_of(graph.parameters()[0].parameter->grad.view()), 3), 0.0);
}

// Blocks of convolution, batch norm and ReLU, each block's input added to its output; values of 2 MB.
struct Residual {
  explicit Residual(int blocks) {
    const Spec spec{{4, 16, 64, 64}, DType::float64};
    ValueId v = graph.input(spec, "x", true);
    for (int i = 1; i <= blocks; ++i) {
      const std::string name = std::to_string(i);
      const auto parameter = [&](const Shape& shape, bool trains = true) {
        ParameterPtr p = random_parameter({shape, DType::float64}, ++seed, 0.2);
        p->requires_grad = trains;
        return graph.parameter(p, name + "." + std::to_string(seed));
      };
      const ValueId w = parameter({16, 16, 1, 1});
      const ValueId c = graph.add(make_op("conv2d", {}), {v, w, no_value}, "conv" + name);
      const ValueId gamma = parameter({16}), beta = parameter({16});
      const ValueId mean = parameter({16}, false), var = parameter({16}, false);
      running.push_back(graph.parameters().back().parameter);
      const ValueId n = graph.add(make_op("batch_norm", {}), {c, gamma, beta, mean, var}, "norm" + name);
      v = graph.add(make_op("add", {}), {n, v}, "add" + name);
      v = graph.add(activation_op("relu"), {v}, "relu" + name);
      values.push_back(v);
    }
    graph.output(graph.add(make_op("avg_pool2d", {{"kernel", std::int64_t{64}}}), {v}, "pool"));
  }

  Graph graph;
  std::vector<ValueId> values;
  std::vector<ParameterPtr> running;
  unsigned seed = 0;
};

TEST(Plan, drops_cheap_values_and_makes_them_again_before_their_first_use_in_backward) {
  Residual net(2);
  const Plan plan(net.graph, Mode::training, backend());
  std::vector<std::string> names;
  for (const Step& step : plan.backward_steps()) names.push_back(plan.step_name(step));
  const std::string first = "norm1 + add1 + relu1", second = "norm2 + add2 + relu2";
  EXPECT_EQ(names, (std::vector<std::string>{"pool backward", first + " again", second + " again", second + " backward",
                                             "conv2 backward", "sum of gradients", first + " backward",
                                             "conv1 backward", "sum of gradients"}));
}

// A 1x1 convolution, the output of which one with such a kernel reads, and one more.
struct Bottle {
  explicit Bottle(std::int64_t kernel) {
    const auto weight = [&](Shape shape) {
      ++seed;
      return graph.parameter(random_parameter({shape, DType::float32}, seed, 0.1), "w" + std::to_string(seed));
    };
    ValueId v = graph.input({{1, 16, 128, 128}, DType::float32}, "x", true);
    v = narrow = graph.add(make_op("conv2d", {}), {v, weight({32, 16, 1, 1}), no_value}, "narrow");
    v = graph.add(activation_op("square"), {v}, "square");
    v = graph.add(make_op("conv2d", {}), {v, weight({64, 32, kernel, kernel}), no_value}, "wide");
    v = graph.add(make_op("conv2d", {}), {v, weight({256, 64, 1, 1}), no_value}, "tail");
    graph.output(graph.add(make_op("avg_pool2d", {{"kernel", std::int64_t{64}}}), {v}, "pool"));
  }

  std::vector<std::string> names() const {
    const Plan plan(graph, Mode::training, backend());
    std::vector<std::string> names;
    for (const Step& step : plan.backward_steps()) names.push_back(plan.step_name(step));
    return names;
  }

  Graph graph;
  ValueId narrow = no_value;
  unsigned seed = 0;
};

TEST(Plan, computes_products_again_that_a_hundredth_of_the_step_pays_for) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(Bottle(9).names(), (Names{"pool backward", "tail backward", "narrow again", "square again", "wide backward",
                                      "square backward", "narrow backward"}));
  EXPECT_EQ(Bottle(1).names(), (Names{"pool backward", "tail backward", "square again", "wide backward",
                                      "square backward", "narrow backward"}));
}

TEST(Plan, that_computes_products_again_leaves_the_same_bits) {
  if (is_reference_backend()) GTEST_SKIP() << "too many products for plain loops";
  Bottle bottle(9);
  const Tensor x = random_tensor(bottle.graph.spec(bottle.graph.inputs()[0].value), 5);
  std::vector<Tensor> gradients;
  for (const bool drops : {true, false}) {
    if (!drops) bottle.graph.output(bottle.narrow, false);  // which the caller may look at
    GraphRunner runner(bottle.graph, Mode::training, {x});
    runner.forward();
    runner.backward();
    const auto& parameters = bottle.graph.parameters();
    for (const GraphParameter& p : parameters) {
      gradients.push_back(copy_of(p.parameter->grad.view()));
      p.parameter->has_grad = false;
    }
  }
  for (std::size_t p = 0; p < 3; ++p) expect_same_bytes(gradients[p], gradients[3 + p], std::to_string(p));
}

TEST(Plan, keeps_one_of_a_few_values_that_rest_on_one_another) {
  Residual net(12);
  const Plan plan(net.graph, Mode::training, backend());
  EXPECT_EQ(std::ranges::count(kinds(plan.backward_steps()), Step::Kind::recompute), 12 - 1);
  // The input, 12 outputs of convolutions and 1 of 12 blocks, and never all 12 blocks.
  const std::size_t value = net.graph.spec(net.values[0]).bytes();
  EXPECT_LT(plan.alive_bytes(), (1 + 12 + 1 + 8) * value);
}

TEST(Plan, that_drops_values_computes_the_same_bits_and_updates_statistics_once) {
  Residual net(7);
  const Tensor x = random_tensor(net.graph.spec(net.graph.inputs()[0].value), 5);
  const auto run = [&](const Graph& graph, bool drops) {
    std::vector<Tensor> kept;
    for (const ParameterPtr& p : net.running) kept.push_back(copy_of(p->value.view()));
    GraphRunner runner(graph, Mode::training, {x});
    const auto& steps = runner.executor().plan().backward_steps();
    EXPECT_EQ(std::ranges::count(kinds(steps), Step::Kind::recompute) > 0, drops);
    runner.forward();
    runner.backward();
    std::vector<Tensor> results{copy_of(runner.executor().output(0)), copy_of(runner.executor().input_grad(0))};
    for (const GraphParameter& p : graph.parameters()) {
      if (p.parameter->requires_grad) results.push_back(copy_of(p.parameter->grad.view()));
      p.parameter->has_grad = false;
    }
    for (std::size_t i = 0; i < net.running.size(); ++i) {
      results.push_back(copy_of(net.running[i]->value.view()));
      fill(net.running[i]->value.view(), kept[i]);
    }
    return results;
  };
  const std::vector<Tensor> dropping = run(net.graph, true);
  for (const ValueId v : net.values) net.graph.output(v, false);  // which the caller may look at
  const std::vector<Tensor> keeping = run(net.graph, false);
  ASSERT_EQ(dropping.size(), keeping.size());
  for (std::size_t i = 0; i < keeping.size(); ++i) expect_same_bytes(dropping[i], keeping[i], std::to_string(i));
}

TEST(Plan, counts_operations_and_bytes_of_each_step) {
  const Plan plan(mlp(2, false), Mode::training, backend());
  const auto value = static_cast<std::int64_t>(square4.bytes());
  const StepCost forward = plan.cost(plan.forward_steps()[1]);
  EXPECT_EQ(forward.operations, 2 * 64);
  EXPECT_EQ(forward.bytes, 3 * value);  // x, w, y
  const StepCost second = plan.cost(plan.backward_steps()[0]);
  EXPECT_EQ(second.operations, 2 * 2 * 64);  // dx and dw
  EXPECT_EQ(second.bytes, 6 * value);        // x, w, y for tanh, dy, dx, dw
  const StepCost first = plan.cost(plan.backward_steps()[1]);
  EXPECT_EQ(first.operations, 2 * 64);  // dw
  EXPECT_EQ(first.bytes, 5 * value);
}

TEST(Plan, counts_an_operand_that_is_read_twice_once) {
  Graph graph;
  const ValueId x = graph.input(square4, "x", true);
  graph.output(graph.add(std::make_shared<SumOp>(), {x, x}, "twice"));
  const Plan plan(graph, Mode::training, backend());
  EXPECT_EQ(plan.cost(plan.forward_steps()[0]).bytes, 2 * static_cast<std::int64_t>(square4.bytes()));
  const Step& sum = plan.backward_steps().back();
  ASSERT_EQ(sum.kind, Step::Kind::accumulate);
  EXPECT_EQ(plan.cost(sum).bytes, 3 * static_cast<std::int64_t>(square4.bytes()));
  EXPECT_EQ(plan.cost(sum).operations, 16);
}

TEST(Plan, explains_each_step_on_a_line) {
  const Plan plan(mlp(2, false), Mode::training, backend());
  const std::string text = plan.explain();
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(text, '\n')),
            2 + plan.forward_steps().size() + plan.backward_steps().size());
  EXPECT_NE(text.find("fc1 + tanh1"), std::string::npos) << text;
  EXPECT_NE(text.find("arena+"), std::string::npos) << text;
}

}  // namespace
}  // namespace fastcnn::testing
