#include "core/gradient_pieces.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "graph/train_step.h"
#include "graph_testing.h"
#include "optim/adagrad.h"
#include "optim/adam.h"
#include "optim/rmsprop.h"
#include "optim/sgd.h"
#include "optimizer_testing.h"

namespace fastcnn::testing {
namespace {

// Two layers whose weights are large enough to be updated in pieces, of which the second has two readers; and a third
// that is small. Extents are no multiples of tiles.
struct LargeLinear {
  LargeLinear(DType dtype, Gradients gradients) {
    Graph graph;
    ValueId v = graph.input({{3, 1100}, dtype}, "x");
    const ValueId first = weight(graph, {{1031, 1100}, dtype});
    v = graph.add(make_op("linear", {{"activation", "tanh"}}), {v, first, no_value}, "fc1");
    const ValueId shared = weight(graph, {{1031, 1031}, dtype});
    for (const char* layer : {"fc2", "fc3"}) v = graph.add(make_op("linear", {}), {v, shared, no_value}, layer);
    v = graph.add(make_op("linear", {}), {v, weight(graph, {{5, 1031}, dtype}), no_value}, "fc4");
    graph.output(graph.add(activation_op("square"), {v}, "squared"));
    executor = std::make_unique<Executor>(std::make_shared<const Plan>(graph, Mode::training, cpu_backend(), gradients));
    fill(executor->input(0), random_tensor({{3, 1100}, dtype}, 7));
  }

  ValueId weight(Graph& graph, const Spec& spec) {
    const ParameterPtr p = random_parameter(spec, static_cast<unsigned>(parameters.size()), 0.03);
    parameters.push_back(p);
    return graph.parameter(p, "p" + std::to_string(parameters.size()));
  }

  void one_by_one(Optimizer& optimizer) {
    executor->forward({});
    const View seed = executor->output_grad(0);
    dispatch_floating(seed.spec.dtype,
                      [&]<class T>() { std::fill_n(seed.as<T>(), seed.spec.shape.numel(), T{1}); });
    optimizer.zero_grad();
    executor->backward();
    optimizer.step();
  }

  std::vector<ParameterPtr> parameters;
  std::unique_ptr<Executor> executor;
};

template <class O, class Settings>
void expect_bytes_of_backward_and_update(const Settings& settings) {
  const ThreadsRestored restored;
  for (const DType dtype : {DType::float32, DType::float64}) {
    set_num_threads(1);
    LargeLinear loop(dtype, Gradients::in_parameters);
    O of_loop = optimizer_of<O>(loop.parameters, settings);
    for (int i = 0; i < 2; ++i) loop.one_by_one(of_loop);
    for (const int threads : {1, 2, 3, 8}) {
      set_num_threads(threads);
      LargeLinear pieces(dtype, Gradients::applied);
      O of_pieces = optimizer_of<O>(pieces.parameters, settings);
      for (std::uint64_t i = 0; i < 2; ++i) train_step(*pieces.executor, of_pieces, {.seed = 1, .step = i});
      expect_equal_bytes(of_pieces, of_loop, name_of(dtype));
    }
  }
}

TEST(GradientPieces, leave_the_bytes_of_backward_and_sgd) {
  expect_bytes_of_backward_and_update<Sgd>(SgdSettings{.lr = 0.02, .momentum = 0.9, .weight_decay = 0.1});
  expect_bytes_of_backward_and_update<Sgd>(SgdSettings{.lr = 0.02, .lr_in_velocity = true, .filter_norm = 0.5});
}

TEST(GradientPieces, leave_the_bytes_of_backward_and_other_optimisers) {
  expect_bytes_of_backward_and_update<Adam>(AdamSettings{.lr = 0.01, .weight_decay = 0.1, .amsgrad = true});
  expect_bytes_of_backward_and_update<Rmsprop>(RmspropSettings{.lr = 0.01, .momentum = 0.9, .centered = true});
  expect_bytes_of_backward_and_update<Adagrad>(AdagradSettings{.lr = 0.01, .initial_accumulator_value = 0.1});
}

TEST(GradientPieces, are_of_large_weights_that_one_layer_reads) {
  const LargeLinear net(DType::float32, Gradients::applied);
  const Plan& plan = net.executor->plan();
  std::vector<std::string> names;
  for (const Step& step : plan.backward_steps()) names.push_back(plan.step_name(step));
  EXPECT_EQ(std::ranges::count(names, "fc1 backward, p1 update"), 1);
  EXPECT_EQ(std::ranges::count(names, "p1 update"), 0);
  EXPECT_EQ(std::ranges::count(names, "p2 update"), 1);  // the one of two readers
  EXPECT_EQ(std::ranges::count(names, "fc4 backward"), 1);
}

TEST(GradientPieces, leave_weights_alone_that_nobody_optimises) {
  LargeLinear net(DType::float32, Gradients::applied);
  const ParameterPtr frozen = net.parameters.front();
  const Tensor before = copy_of(frozen->value.view());
  net.parameters.erase(net.parameters.begin());
  Sgd sgd = optimizer_of<Sgd>(net.parameters, SgdSettings{.lr = 0.1});
  train_step(*net.executor, sgd, {});
  expect_same_bytes(frozen->value, before, "weights");
}

}  // namespace
}  // namespace fastcnn::testing
