#include "graph/executor.h"

#include <gtest/gtest.h>

#include <random>

#include "graph_testing.h"
#include "message_of.h"

namespace fastcnn::testing {
namespace {

const Spec vector4{{2, 4}, DType::float64};

TEST(Executor, runs_a_chain_forward_and_backward) {
  Graph graph;
  const ValueId x = graph.input({{3, 5}, DType::float64}, "x", true);
  const ValueId w = graph.parameter(random_parameter({{4, 5}, DType::float64}, 1), "fc.weight");
  const ValueId b = graph.parameter(random_parameter({{4}, DType::float64}, 2), "fc.bias");
  const ValueId y = graph.add(make_op("linear", {}), {x, w, b}, "fc");
  graph.output(graph.add(activation_op("tanh"), {y}, "tanh"));
  GraphRunner runner(graph, Mode::training, {random_tensor({{3, 5}, DType::float64}, 3)});
  runner.expect_gradients_match_finite_differences();
}

TEST(Executor, leaves_out_an_absent_input) {
  Graph graph;
  const ValueId x = graph.input({{3, 5}, DType::float64}, "x", true);
  const ValueId w = graph.parameter(random_parameter({{4, 5}, DType::float64}, 1), "fc.weight");
  graph.output(graph.add(make_op("linear", {}), {x, w, no_value}, "fc"));
  GraphRunner runner(graph, Mode::training, {random_tensor({{3, 5}, DType::float64}, 3)});
  runner.expect_gradients_match_finite_differences();
}

TEST(Executor, sums_the_gradients_of_a_value_with_several_readers) {
  Graph graph;
  const ValueId x = graph.input(vector4, "x", true);
  const ValueId a = graph.add(activation_op("tanh"), {x}, "a");
  const ValueId b = graph.add(std::make_shared<SineOp>(), {a}, "b");
  const ValueId c = graph.add(std::make_shared<SumOp>(), {a, b}, "residual");
  graph.output(graph.add(std::make_shared<ProductOp>(), {c, c}, "squared"));
  GraphRunner runner(graph, Mode::training, {random_tensor(vector4, 3)});
  runner.expect_gradients_match_finite_differences();
}

TEST(Executor, sums_the_gradients_of_shared_weights) {
  Graph graph;
  const Spec square{{4, 4}, DType::float64};
  const ParameterPtr shared = random_parameter(square, 1);
  ValueId x = graph.input(square, "x");
  for (const char* name : {"fc1", "fc2", "fc3"}) {
    x = graph.add(make_op("linear", {}), {x, graph.parameter(shared, "weight"), no_value}, name);
  }
  graph.output(x);
  GraphRunner runner(graph, Mode::training, {random_tensor(square, 3)});
  EXPECT_EQ(runner.graph().parameters().size(), 1u);
  runner.expect_gradients_match_finite_differences();
}

TEST(Executor, gives_one_node_the_same_parameter_twice) {
  Graph graph;
  const ValueId p = graph.parameter(random_parameter(vector4, 1), "p");
  graph.output(graph.add(std::make_shared<ProductOp>(), {p, p}, "squared"));
  GraphRunner(graph, Mode::training, {}).expect_gradients_match_finite_differences();
}

TEST(Executor, runs_several_outputs_seeded_or_not) {
  Graph graph;
  const ValueId x = graph.input(vector4, "x", true);
  const ValueId p = graph.parameter(random_parameter(vector4, 1), "p");
  const ValueId a = graph.add(std::make_shared<ProductOp>(), {x, p}, "a");
  const ValueId b = graph.add(activation_op("sigmoid"), {a}, "b");
  const ValueId c = graph.add(activation_op("tanh"), {b}, "c");
  graph.output(a);
  graph.output(b, false);
  graph.output(c);
  graph.output(c);
  GraphRunner runner(graph, Mode::training, {random_tensor(vector4, 3)});
  runner.expect_gradients_match_finite_differences();
  runner.forward();
  for (std::int64_t i = 0; i < 8; ++i) {
    const double sigmoid = 1 / (1 + std::exp(-element(copy_of(runner.executor().output(0)), i)));
    EXPECT_NEAR(element(copy_of(runner.executor().output(1)), i), sigmoid, 1e-12);
  }
  EXPECT_THROW(runner.executor().output_grad(1), ValueError);
}

TEST(Executor, takes_inputs_and_parameters_as_outputs) {
  Graph graph;
  const ValueId x = graph.input(vector4, "x", true);
  const ValueId p = graph.parameter(random_parameter(vector4, 1), "p");
  const ValueId q = graph.parameter(random_parameter(vector4, 2), "q");
  graph.output(x);
  graph.output(p);
  graph.output(p);
  graph.output(graph.add(std::make_shared<ProductOp>(), {x, q}, "product"));
  graph.output(q);
  GraphRunner runner(graph, Mode::training, {random_tensor(vector4, 3)});
  runner.expect_gradients_match_finite_differences();
}

TEST(Executor, zeroes_gradients_that_nothing_seeded_depends_on) {
  Graph graph;
  const ParameterPtr unused = random_parameter(vector4, 1);
  graph.parameter(unused, "unused");
  graph.input(vector4, "unread", true);
  const ValueId x = graph.input(vector4, "x", true);
  graph.output(graph.add(activation_op("tanh"), {x}, "y"));
  GraphRunner runner(graph, Mode::training, {random_tensor(vector4, 2), random_tensor(vector4, 3)});
  unused->grad = random_tensor(vector4, 7);
  runner.expect_gradients_match_finite_differences();
  runner.forward();
  runner.backward();
  EXPECT_EQ(element(copy_of(runner.executor().input_grad(0)), 0), 0.0);
}

TEST(Executor, leaves_frozen_parameters_alone) {
  Graph graph;
  const ParameterPtr frozen = random_parameter(vector4, 1);
  frozen->requires_grad = false;
  const ValueId x = graph.input(vector4, "x", true);
  graph.output(graph.add(std::make_shared<ProductOp>(), {x, graph.parameter(frozen, "frozen")}, "y"));
  GraphRunner runner(graph, Mode::training, {random_tensor(vector4, 3)});
  runner.expect_gradients_match_finite_differences();
  EXPECT_FALSE(frozen->has_grad);
  EXPECT_FALSE(frozen->grad);
}

TEST(Executor, adds_to_a_gradient_that_is_held) {
  Graph graph;
  const ParameterPtr p = random_parameter(vector4, 1);
  const ValueId x = graph.input(vector4, "x");
  const ValueId v = graph.parameter(p, "p");
  const ValueId y = graph.add(std::make_shared<ProductOp>(), {x, v}, "y");
  graph.output(graph.add(std::make_shared<ProductOp>(), {y, v}, "z"));
  GraphRunner runner(graph, Mode::training, {random_tensor(vector4, 3)});
  runner.forward();
  runner.backward();
  const Tensor once = copy_of(p->grad.view());
  for (int repeat = 2; repeat <= 3; ++repeat) {
    runner.forward();
    runner.backward();
    for (std::int64_t i = 0; i < 8; ++i) EXPECT_NEAR(element(p->grad, i), repeat * element(once, i), 1e-12);
  }
  p->has_grad = false;
  runner.forward();
  runner.backward();
  expect_same_bytes(p->grad, once, "fresh gradient");
}

TEST(Executor, refuses_backward_out_of_turn) {
  Graph graph;
  const ValueId x = graph.input(vector4, "x", true);
  graph.output(graph.add(activation_op("tanh"), {x}, "y"));
  GraphRunner training(graph, Mode::training, {random_tensor(vector4, 3)});
  EXPECT_THROW(training.executor().backward(), Error);
  training.forward();
  training.forward();
  training.backward();
  EXPECT_THROW(training.executor().backward(), Error);
  GraphRunner inference(graph, Mode::inference, {random_tensor(vector4, 3)});
  inference.forward();
  EXPECT_THROW(inference.executor().backward(), Error);
  EXPECT_THROW(inference.executor().input_grad(0), ValueError);
}

TEST(Executor, runs_again_on_the_same_input) {
  Graph graph;
  ValueId v = graph.input(vector4, "x");
  for (const char* name : {"a", "b", "c"}) v = graph.add(activation_op("tanh"), {v}, name);
  graph.output(v);
  GraphRunner runner(graph, Mode::inference, {random_tensor(vector4, 3)});
  runner.forward();
  const Tensor first = copy_of(runner.executor().output(0));
  runner.executor().forward({});
  expect_same_bytes(copy_of(runner.executor().output(0)), first, "second run");
}

TEST(Executor, names_the_layer_of_an_error_at_run_time) {
  Graph graph;
  const ValueId logits = graph.input({{2, 3}, DType::float32}, "logits");
  const ValueId labels = graph.input({{2}, DType::int64}, "labels");
  graph.output(graph.add(make_op("softmax_cross_entropy", {}), {logits, labels}, "loss"));
  GraphRunner runner(graph, Mode::training, {Tensor({{2, 3}, DType::float32}), Tensor({{2}, DType::int64})});
  runner.forward();
  static_cast<std::int64_t*>(runner.inputs()[1].data())[1] = 3;
  const std::string message = message_of([&] { runner.forward(); });
  EXPECT_TRUE(message.starts_with("loss: ")) << message;
  EXPECT_THROW(runner.executor().backward(), Error);
}

TEST(Executor, names_the_input_of_a_wrong_shape) {
  Graph graph;
  graph.output(graph.input(vector4, "image"));
  Executor executor(std::make_shared<const Plan>(graph, Mode::inference, backend()));
  const double values[6] = {};
  const StridedArray array{.data = values, .type = DType::float64, .shape = {2, 3}, .strides = {24, 8}};
  const std::string message = message_of([&] { executor.set_input(0, array); });
  EXPECT_TRUE(message.starts_with("input image: ")) << message;
}

TEST(Executor, times_each_step_when_asked) {
  Graph graph;
  const ValueId x = graph.input(vector4, "x", true);
  graph.output(graph.add(std::make_shared<SineOp>(), {x}, "y"));
  GraphRunner runner(graph, Mode::training, {random_tensor(vector4, 3)});
  runner.executor().set_timing(true);
  runner.forward();
  runner.backward();
  ASSERT_EQ(runner.executor().step_seconds().size(), 2u);
  for (const double seconds : runner.executor().step_seconds()) EXPECT_GT(seconds, 0.0);
  runner.executor().set_timing(false);
  runner.forward();
  EXPECT_TRUE(runner.executor().step_seconds().empty());
}

// A random DAG of elementwise ops with every kind of need, any value an output, some parameters.
Graph random_graph(unsigned seed) {
  std::mt19937 random(seed);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  Graph graph;
  std::vector<ValueId> values;
  for (int i = 0; i < 2; ++i) values.push_back(graph.input(vector4, "x" + std::to_string(i), below(2) == 0));
  for (int i = 0; i < 3; ++i) {
    const ParameterPtr p = random_parameter(vector4, seed + static_cast<unsigned>(i));
    p->requires_grad = below(4) != 0;
    values.push_back(graph.parameter(p, "p" + std::to_string(i)));
  }
  const std::size_t nodes = 1 + below(14);
  for (std::size_t n = 0; n < nodes; ++n) {
    // Recent values more often, so that chains come up and run in place.
    const auto pick = [&] { return below(3) == 0 ? values[below(values.size())] : values.back(); };
    const std::string name = "node" + std::to_string(n);
    switch (below(6)) {
      case 0: values.push_back(graph.add(std::make_shared<SumOp>(), {pick(), pick()}, name)); break;
      case 1: values.push_back(graph.add(std::make_shared<ProductOp>(), {pick(), pick()}, name)); break;
      case 2: values.push_back(graph.add(std::make_shared<SineOp>(), {pick()}, name)); break;
      case 3: values.push_back(graph.add(activation_op("tanh"), {pick()}, name)); break;
      case 4: values.push_back(graph.add(activation_op("square"), {pick()}, name)); break;
      case 5: values.push_back(graph.add(activation_op("linear"), {pick()}, name)); break;
    }
    if (below(6) == 0) graph.output(values.back(), below(3) != 0);
  }
  graph.output(values.back());
  return graph;
}

TEST(Executor, gradients_of_random_graphs_match_finite_differences) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    GraphRunner runner(random_graph(seed), Mode::training,
                       {random_tensor(vector4, seed + 50), random_tensor(vector4, seed + 51)});
    runner.expect_gradients_match_finite_differences(1e-5);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(Executor, inference_gives_the_outputs_of_training) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    const std::vector<Tensor> inputs = {random_tensor(vector4, seed + 50), random_tensor(vector4, seed + 51)};
    const Graph graph = random_graph(seed);
    GraphRunner training(graph, Mode::training, inputs);
    GraphRunner inference(graph, Mode::inference, inputs);
    training.forward();
    inference.forward();
    for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
      expect_same_bytes(copy_of(inference.executor().output(static_cast<int>(i))),
                        copy_of(training.executor().output(static_cast<int>(i))), "seed " + std::to_string(seed));
    }
    EXPECT_LE(inference.executor().plan().arena_bytes(), training.executor().plan().arena_bytes());
  }
}

// y = x * w, or x * prepared, which is 100 w; counts what it prepares.
class PreparingOp final : public TestOp {
 public:
  std::string_view kind() const override { return "preparing"; }
  std::string describe(Specs) const override { return "Preparing"; }
  std::vector<Spec> infer(Specs x) const override { return {x[0]}; }
  Needs backward_needs(Specs) const override { return {.x = 3}; }
  Memory memory(Specs x, Pass pass) const override {
    if (pass != Pass::inference) return {};
    return {.prepared = x[1].bytes(), .prepared_from = 0b10};
  }
  void prepare(std::span<const ConstView> x, std::byte* prepared) const override {
    EXPECT_EQ(x[0].data, nullptr);
    for (std::int64_t i = 0; i < x[1].spec.shape.numel(); ++i) {
      reinterpret_cast<double*>(prepared)[i] = 100 * x[1].as<double>()[i];
    }
    ++preparations;
  }
  void forward(const StepArgs& args) const override {
    const double* w = args.prepared != nullptr ? reinterpret_cast<const double*>(args.prepared) : args.x[1].as<double>();
    for (std::int64_t i = 0; i < args.y[0].spec.shape.numel(); ++i) args.y[0].as<double>()[i] = args.x[0].as<double>()[i] * w[i];
  }
  void backward(const StepArgs&) const override {}

  mutable int preparations = 0;
};

struct Preparing {
  Preparing() {
    *static_cast<double*>(w->value.data()) = 2;
    const ValueId x = graph.input(one, "x");
    graph.output(graph.add(op, {x, graph.parameter(w, "w")}, "layer"), false);
  }
  double run(Executor& executor) {
    *executor.input(0).as<double>() = 3;
    executor.forward({});
    return *executor.output(0).as<double>();
  }

  Spec one{{1}, DType::float64};
  ParameterPtr w = std::make_shared<Parameter>(one);
  std::shared_ptr<PreparingOp> op = std::make_shared<PreparingOp>();
  Graph graph;
};

TEST(Executor, prepares_parameters_once_for_each_state_of_them) {
  Preparing model;
  Executor executor(std::make_shared<const Plan>(model.graph, Mode::inference, backend()));
  EXPECT_EQ(model.run(executor), 600);
  EXPECT_EQ(model.run(executor), 600);
  EXPECT_EQ(model.op->preparations, 1);
  *static_cast<double*>(model.w->value.data()) = 4;
  ++model.w->version;
  EXPECT_EQ(model.run(executor), 1200);
  EXPECT_EQ(model.op->preparations, 2);
}

TEST(Executor, prepares_parameters_at_each_run_while_someone_may_write_them) {
  Preparing model;
  Executor executor(std::make_shared<const Plan>(model.graph, Mode::inference, backend()));
  model.run(executor);
  ++model.w->writers;
  EXPECT_EQ(model.run(executor), 600);
  *static_cast<double*>(model.w->value.data()) = 4;
  EXPECT_EQ(model.run(executor), 1200);
  --model.w->writers;
  EXPECT_EQ(model.run(executor), 1200);
  const int preparations = model.op->preparations;
  EXPECT_EQ(model.run(executor), 1200);
  EXPECT_EQ(model.op->preparations, preparations);
}

TEST(Executor, does_not_prepare_what_is_no_parameter) {
  Graph graph;
  const ValueId x = graph.input({{2, 8, 6, 6}}, "x");
  const ValueId w = graph.input({{8, 8, 3, 3}}, "w");
  const ValueId b = graph.add(make_op("conv2d", {{"pad", std::int64_t{1}}}), {x, w, no_value}, "b");
  graph.output(graph.add(activation_op("relu"), {b}, "relu"));
  GraphRunner runner(graph, Mode::inference, {random_tensor({{2, 8, 6, 6}}, 1), random_tensor({{8, 8, 3, 3}}, 2)});
  EXPECT_EQ(runner.executor().plan().prepared_bytes(), 0u);
  runner.forward();
  const Tensor first = copy_of(runner.executor().output(0));
  runner.inputs()[1] = random_tensor({{8, 8, 3, 3}}, 3);
  runner.forward();
  EXPECT_NE(element(copy_of(runner.executor().output(0)), 5), element(first, 5));
}

TEST(Executor, prepares_nothing_in_training) {
  Preparing model;
  Executor executor(std::make_shared<const Plan>(model.graph, Mode::training, backend()));
  EXPECT_EQ(model.run(executor), 6);
  EXPECT_EQ(model.op->preparations, 0);
}

// y = x; adds the first of x to a running sum.
class CountingOp final : public TestOp {
 public:
  std::string_view kind() const override { return "counting"; }
  std::string describe(Specs) const override { return "Counting"; }
  std::vector<Spec> infer(Specs x) const override { return {x[0]}; }
  bool differentiable(int input) const override { return input == 0; }
  bool updates(int input) const override { return input == 1; }
  Needs backward_needs(Specs) const override { return {}; }
  void forward(const StepArgs& args) const override {
    std::memcpy(args.y[0].data, args.x[0].data, args.y[0].spec.bytes());
    if (!args.run->training) return;
    EXPECT_FALSE(args.state[0]);
    *args.state[1].as<double>() += *args.x[0].as<double>();
  }
  void backward(const StepArgs& args) const override {
    std::memcpy(args.dx[0].data, args.dy[0].data, args.dy[0].spec.bytes());
  }
};

TEST(Executor, lets_an_op_update_its_state_in_training_alone) {
  const Spec one{{1}, DType::float64};
  const auto sum = std::make_shared<Parameter>(one);
  sum->requires_grad = false;
  Graph graph;
  const ValueId x = graph.input(one, "x");
  graph.output(graph.add(std::make_shared<CountingOp>(), {x, graph.parameter(sum, "sum")}, "layer"), false);
  for (const Mode mode : {Mode::training, Mode::inference}) {
    Executor executor(std::make_shared<const Plan>(graph, mode, backend()));
    *executor.input(0).as<double>() = 5;
    executor.forward({});
    EXPECT_EQ(*static_cast<double*>(sum->value.data()), 5);
    EXPECT_EQ(sum->version, 1u);
  }
}

}  // namespace
}  // namespace fastcnn::testing
