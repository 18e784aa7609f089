#include "core/gradient_pieces.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "graph/train_step.h"
#include "graph_testing.h"

namespace fastcnn::testing {
namespace {

std::string name(std::size_t parameter) { return std::string("p").append(std::to_string(parameter)); }

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
    const ParameterPtr p = random_parameter(spec, static_cast<unsigned>(slots.size()), 0.03);
    slots.push_back({.parameter = p, .velocity = {}});
    return graph.parameter(p, "p" + std::to_string(slots.size()));
  }

  void one_by_one(const SgdSettings& settings) {
    executor->forward({});
    const View seed = executor->output_grad(0);
    dispatch_floating(seed.spec.dtype,
                      [&]<class T>() { std::fill_n(seed.as<T>(), seed.spec.shape.numel(), T{1}); });
    for (const SgdSlot& slot : slots) slot.parameter->has_grad = false;
    executor->backward();
    sgd_step(slots, {&settings, 1});
  }

  std::vector<SgdSlot> slots;
  std::unique_ptr<Executor> executor;
};

TEST(GradientPieces, leave_the_bytes_of_backward_and_update) {
  const ThreadsRestored restored;
  const SgdSettings heavy{.lr = 0.02, .momentum = 0.9, .weight_decay = 0.1};
  const SgdSettings constrained{.lr = 0.02, .lr_in_velocity = true, .filter_norm = 0.5};
  for (const DType dtype : {DType::float32, DType::float64})
    for (const SgdSettings& settings : {heavy, constrained}) {
      set_num_threads(1);
      LargeLinear loop(dtype, Gradients::in_parameters);
      for (int i = 0; i < 2; ++i) loop.one_by_one(settings);
      for (const int threads : {1, 2, 3, 8}) {
        set_num_threads(threads);
        LargeLinear pieces(dtype, Gradients::applied);
        for (std::uint64_t i = 0; i < 2; ++i) {
          train_step(*pieces.executor, pieces.slots, {&settings, 1}, {.seed = 1, .step = i});
        }
        for (std::size_t p = 0; p < loop.slots.size(); ++p) {
          expect_same_bytes(pieces.slots[p].parameter->value, loop.slots[p].parameter->value, name(p));
          EXPECT_EQ(pieces.slots[p].parameter->version, loop.slots[p].parameter->version) << name(p);
          if (settings.momentum == 0) continue;
          expect_same_bytes(pieces.slots[p].velocity, loop.slots[p].velocity, name(p) + " velocity");
        }
      }
    }
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
  const Tensor before = copy_of(net.slots[0].parameter->value.view());
  const ParameterPtr frozen = net.slots[0].parameter;
  net.slots.erase(net.slots.begin());
  const SgdSettings settings{.lr = 0.1};
  train_step(*net.executor, net.slots, {&settings, 1}, {});
  expect_same_bytes(frozen->value, before, "weights");
}

}  // namespace
}  // namespace fastcnn::testing
