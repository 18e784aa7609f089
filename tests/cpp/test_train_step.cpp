#include "graph/train_step.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <thread>
#include <utility>

#include "graph_testing.h"
#include "optim/sgd.h"
#include "optimizer_testing.h"

// Every allocation of this executable is counted. noinline keeps GCC from matching malloc and free
// with new and delete across these replacements.
namespace {

std::atomic<long> allocations{0};

void* counted(std::size_t bytes, std::size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::aligned_alloc(alignment, (bytes + alignment) / alignment * alignment)) return p;
  throw std::bad_alloc();
}

}  // namespace

[[gnu::noinline]] void* operator new(std::size_t bytes) { return counted(bytes, alignof(std::max_align_t)); }
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return counted(bytes, alignof(std::max_align_t));
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace fastcnn::testing {
namespace {

constexpr std::int64_t batch = 16;
constexpr std::int64_t classes = 10;

// A small LeNet and its loss, with fresh weights that are the same each time.
struct Trainee {
  explicit Trainee(Mode mode = Mode::training, Gradients gradients = Gradients::applied) {
    Graph graph;
    const ValueId x = graph.input({{batch, 1, 20, 20}, DType::float32}, "x");
    const ValueId labels = graph.input({{batch}, DType::int64}, "labels");
    ValueId v = graph.add(make_op("conv2d", {}), {x, weight(graph, {8, 1, 5, 5}), weight(graph, {8})}, "conv1");
    v = graph.add(make_op("max_pool2d", {{"kernel", std::int64_t{2}}}), {v}, "pool1");
    v = graph.add(make_op("conv2d", {}), {v, weight(graph, {12, 8, 3, 3}), weight(graph, {12})}, "conv2");
    v = graph.add(activation_op("relu"), {v}, "relu2");
    v = graph.add(make_op("max_pool2d", {{"kernel", std::int64_t{2}}}), {v}, "pool2");
    v = graph.add(make_op("flatten", {}), {v}, "flatten");
    v = graph.add(make_op("linear", {}), {v, weight(graph, {40, 108}), weight(graph, {40})}, "fc1");
    v = graph.add(activation_op("tanh"), {v}, "tanh1");
    v = graph.add(make_op("linear", {}), {v, weight(graph, {classes, 40}), weight(graph, {classes})}, "fc2");
    graph.output(graph.add(make_op("softmax_cross_entropy", {}), {v, labels}, "loss"));
    graph.output(v, false);
    executor = std::make_unique<Executor>(std::make_shared<const Plan>(graph, mode, backend(), gradients));
    fill(executor->input(0), random_tensor(graph.spec(x), 7));
    for (std::int64_t i = 0; i < batch; ++i) executor->input(1).as<std::int64_t>()[i] = i % classes;
    sgd = std::make_unique<Sgd>(ParameterGroups{parameters}, backend());
    sgd->configure(0, {.lr = 0.05, .momentum = 0.9, .weight_decay = 1e-4});
  }

  ValueId weight(Graph& graph, Shape shape) {
    const ParameterPtr p = random_parameter({shape, DType::float32}, static_cast<unsigned>(parameters.size()), 0.2);
    parameters.push_back(p);
    return graph.parameter(p, std::string("p").append(std::to_string(parameters.size())));
  }

  float step(std::uint64_t number) {
    train_step(*executor, *sgd, {.seed = 1, .step = number});
    return *executor->output(0).as<float>();
  }

  std::vector<ParameterPtr> parameters;
  std::unique_ptr<Sgd> sgd;
  std::unique_ptr<Executor> executor;
};

std::string name(std::size_t parameter) { return std::string("p").append(std::to_string(parameter)); }

TEST(TrainStep, learns_its_batch) {
  Trainee trainee;
  const float first = trainee.step(0);
  float last = first;
  for (std::uint64_t i = 1; i < 60; ++i) last = trainee.step(i);
  EXPECT_GT(first, 1.5f);
  EXPECT_LT(last, 0.3f * first);
}

TEST(TrainStep, changes_nothing_where_the_loss_is_not_finite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Trainee trainee;
    trainee.step(0);
    Parameter& bias = *trainee.parameters.back();
    float& element = *bias.value.view().as<float>();
    const float good = std::exchange(element, bad);
    bias.has_grad = true;
    std::vector<Tensor> before;
    for (const ParameterPtr& p : trainee.parameters) before.push_back(copy_of(p->value.view()));
    EXPECT_FALSE(std::isfinite(trainee.step(1)));
    EXPECT_TRUE(bias.has_grad);
    for (std::size_t p = 0; p < before.size(); ++p) {
      expect_same_bytes(trainee.parameters[p]->value, before[p], name(p));
    }
    element = good;
    EXPECT_TRUE(std::isfinite(trainee.step(2)));
  }
}

TEST(TrainStep, does_what_forward_backward_and_update_do_one_by_one) {
  Trainee fused;
  Trainee loop(Mode::training, Gradients::in_parameters);
  for (std::uint64_t i = 0; i < 3; ++i) {
    fused.step(i);
    loop.executor->forward({.seed = 1, .step = i});
    *loop.executor->output_grad(0).as<float>() = 1.0f;
    loop.sgd->zero_grad();
    loop.executor->backward();
    loop.sgd->step();
  }
  for (std::size_t p = 0; p < fused.parameters.size(); ++p) {
    expect_same_bytes(fused.parameters[p]->value, loop.parameters[p]->value, name(p));
  }
}

TEST(TrainStep, leaves_the_same_bytes_at_any_number_of_threads) {
  const ThreadsRestored restored;
  set_num_threads(1);
  Trainee one;
  for (std::uint64_t i = 0; i < 5; ++i) one.step(i);
  for (const int threads : {2, 3, 8}) {
    set_num_threads(threads);
    Trainee many;
    for (std::uint64_t i = 0; i < 5; ++i) many.step(i);
    const std::string at = " at " + std::to_string(threads) + " threads";
    for (std::size_t p = 0; p < one.parameters.size(); ++p) {
      expect_same_bytes(many.parameters[p]->value, one.parameters[p]->value, name(p) + at);
    }
    expect_same_bytes(copy_of(many.executor->output(1)), copy_of(one.executor->output(1)), "logits" + at);
  }
}

// Weights that two nodes read, and one node twice; batch norms whose outputs are dropped and made again; a parameter
// that is frozen, one that no seeded output depends on, one that is itself seeded, one whose gradient takes the
// place of dy, one of another group, and one that nobody optimises.
struct Tangle {
  explicit Tangle(Gradients gradients) {
    const Spec image{{4, 16, 48, 48}, DType::float64};  // 1.2 MB: large enough to be dropped
    Graph graph;
    ValueId v = graph.input(image, "x");
    const ValueId shared = parameter(graph, {16, 16, 1, 1}, "shared");
    for (const char* name : {"1", "2"}) {
      const std::string number = name;
      v = graph.add(make_op("conv2d", {}), {v, shared, no_value}, "conv" + number);
      const ValueId gamma = parameter(graph, {16}, "gamma" + number), beta = parameter(graph, {16}, "beta" + number);
      const ValueId mean = parameter(graph, {16}, "mean" + number), var = parameter(graph, {16}, "var" + number);
      for (const ValueId state : {mean, var}) parameter_of(graph, state)->requires_grad = false;
      v = graph.add(make_op("batch_norm", {}), {v, gamma, beta, mean, var}, "norm" + number);
      v = graph.add(activation_op("tanh"), {v}, "tanh" + number);
    }
    v = graph.add(make_op("avg_pool2d", {{"kernel", std::int64_t{48}}}), {v}, "pool");
    v = graph.add(make_op("flatten", {}), {v}, "flatten");
    for (const char* name : {"frozen", "free", "nobodys"}) {
      v = graph.add(make_op("linear", {}), {v, parameter(graph, {16, 16}, name), no_value}, name);
    }
    parameter_of(graph, "frozen")->requires_grad = false;
    const ValueId free = graph.parameters()[index(graph, "free")].value;
    graph.output(v);
    graph.output(graph.add(std::make_shared<ProductOp>(), {free, free}, "squared"));
    graph.output(graph.add(std::make_shared<SumOp>(), {free, parameter(graph, {16, 16}, "last")}, "sum"));
    graph.output(parameter(graph, {3, 5}, "seeded"));
    graph.output(graph.add(activation_op("tanh"), {parameter(graph, {7}, "unused")}, "looked_at"), false);
    ParameterGroups groups(2);
    for (const GraphParameter& p : graph.parameters()) {
      names.push_back(p.name);
      if (p.name != "nobodys") groups[p.name == "last"].push_back(p.parameter);
      parameters.push_back(p.parameter);
    }
    sgd = std::make_unique<Sgd>(groups, backend());
    executor = std::make_unique<Executor>(std::make_shared<const Plan>(graph, Mode::training, backend(), gradients));
    fill(executor->input(0), random_tensor(image, 7));
  }

  ValueId parameter(Graph& graph, Shape shape, const std::string& name) {
    const auto seed = static_cast<unsigned>(graph.parameters().size());
    return graph.parameter(random_parameter({shape, DType::float64}, seed, 0.3), name);
  }
  static std::size_t index(const Graph& graph, const std::string& name) {
    const auto found = std::ranges::find(graph.parameters(), name, &GraphParameter::name);
    return static_cast<std::size_t>(found - graph.parameters().begin());
  }
  static Parameter* parameter_of(const Graph& graph, const std::string& name) {
    return graph.parameters()[index(graph, name)].parameter.get();
  }
  static Parameter* parameter_of(const Graph& graph, ValueId value) {
    return graph.parameters()[static_cast<std::size_t>(graph.values()[static_cast<std::size_t>(value)].index)]
        .parameter.get();
  }

  void one_by_one(std::uint64_t number) {
    executor->forward({.seed = 1, .step = number});
    const Graph& graph = executor->plan().graph();
    for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
      if (!graph.outputs()[i].seeded) continue;
      const View seed = executor->output_grad(static_cast<int>(i));
      std::fill_n(seed.as<double>(), seed.spec.shape.numel(), 1.0);
    }
    for (const ParameterPtr& p : parameters) p->has_grad = false;
    executor->backward();
    sgd->step();
  }

  std::unique_ptr<Sgd> sgd;
  std::vector<ParameterPtr> parameters;
  std::vector<std::string> names;
  std::unique_ptr<Executor> executor;
};

std::vector<Tensor> values(const Tangle& net) {
  std::vector<Tensor> copies;
  for (const ParameterPtr& p : net.parameters) copies.push_back(copy_of(p->value.view()));
  return copies;
}

TEST(TrainStep, leaves_the_bytes_of_backward_and_update_whatever_reads_a_parameter) {
  const ThreadsRestored restored;
  const SgdSettings plain{.lr = 0.05}, decaying{.lr = 0.05, .weight_decay = 0.1};
  const SgdSettings heavy{.lr = 0.02, .momentum = 0.9, .weight_decay = 0.1};
  const SgdSettings nesterov{.lr = 0.02, .momentum = 0.9, .weight_decay = 0.1, .nesterov = true};
  for (const SgdSettings& settings : {plain, decaying, heavy, nesterov}) {
    const auto configure = [&](Tangle& net) {
      net.sgd->configure(0, settings);
      net.sgd->configure(1, heavy);
    };
    set_num_threads(1);
    Tangle loop(Gradients::in_parameters);
    configure(loop);
    const std::vector<Tensor> before = values(loop);
    for (std::uint64_t i = 0; i < 3; ++i) loop.one_by_one(i);
    for (const int threads : {1, 2, 3, 8}) {
      set_num_threads(threads);
      Tangle fused(Gradients::applied);
      configure(fused);
      for (std::uint64_t i = 0; i < 3; ++i) train_step(*fused.executor, *fused.sgd, {.seed = 1, .step = i});
      for (std::size_t p = 0; p < fused.parameters.size(); ++p) {
        expect_same_bytes(fused.parameters[p]->value, loop.parameters[p]->value, fused.names[p]);
        EXPECT_FALSE(fused.parameters[p]->has_grad) << fused.names[p];
        EXPECT_FALSE(fused.parameters[p]->grad) << fused.names[p];
        const bool stays = fused.names[p] == "frozen" || fused.names[p] == "nobodys" ||
                           (fused.names[p] == "unused" && settings.weight_decay == 0);
        EXPECT_EQ(std::memcmp(before[p].data(), fused.parameters[p]->value.data(), before[p].spec().bytes()) == 0, stays)
            << fused.names[p];
      }
      expect_equal_bytes(*fused.sgd, *loop.sgd, std::to_string(threads) + " threads");
    }
  }
}

TEST(TrainStep, updates_a_parameter_after_its_last_reader) {
  const Tangle net(Gradients::applied);
  const Plan& plan = net.executor->plan();
  std::vector<bool> updated(net.parameters.size(), false);
  std::size_t recomputed = 0;
  for (const Step& step : plan.backward_steps()) {
    if (step.kind == Step::Kind::recompute) ++recomputed;
    for (const Place& x : step.x) {
      EXPECT_FALSE(x.where == Place::Where::parameter && updated[x.at]) << plan.step_name(step);
    }
    if (step.kind != Step::Kind::update) continue;
    EXPECT_FALSE(updated[step.y[0].at]) << plan.step_name(step);
    updated[step.y[0].at] = true;
  }
  EXPECT_GT(recomputed, 0u);
  for (std::size_t p = 0; p < updated.size(); ++p) EXPECT_EQ(updated[p], net.parameters[p]->requires_grad) << net.names[p];
}

TEST(TrainStep, drops_gradients_that_were_held) {
  Trainee trainee;
  Parameter& held = *trainee.parameters[0];
  held.grad = Tensor(held.value.spec());
  held.has_grad = true;
  const std::uint64_t version = held.version;
  trainee.step(0);
  EXPECT_FALSE(held.has_grad);
  EXPECT_EQ(held.version, version + 1);
}

TEST(TrainStep, refuses_before_anything_changes) {
  Trainee keeps(Mode::training, Gradients::in_parameters);
  EXPECT_THROW(keeps.step(0), Error);
  Trainee infers(Mode::inference);
  EXPECT_THROW(infers.step(0), Error);
  Trainee trainee;
  std::vector<Tensor> before;
  for (const ParameterPtr& p : trainee.parameters) before.push_back(copy_of(p->value.view()));
  trainee.sgd->configure(0, {.lr = 0.05, .filter_norm = 1.0});  // there are biases
  EXPECT_THROW(trainee.step(0), ShapeError);
  for (std::size_t p = 0; p < before.size(); ++p) {
    expect_same_bytes(trainee.parameters[p]->value, before[p], name(p));
  }
}

TEST(Executor, goes_backward_as_its_plan_says) {
  Trainee applies;
  applies.executor->forward({});
  EXPECT_THROW(applies.executor->backward(), Error);
  struct Nothing final : ParameterUpdate {
    void begin_step(const Graph&) override {}
    void zero_grad() override {}
    void apply(std::size_t, ConstView) override { ++calls; }
    GradientPieces& begin_pieces(std::size_t) override { throw Error("all weights are small"); }
    void end_pieces() override {}
    std::size_t calls = 0;
  } nothing;
  applies.executor->backward(nothing);
  EXPECT_EQ(nothing.calls, applies.parameters.size());
  EXPECT_THROW(applies.executor->backward(nothing), Error);  // out of turn
  Trainee keeps(Mode::training, Gradients::in_parameters);
  keeps.executor->forward({});
  EXPECT_THROW(keeps.executor->backward(nothing), Error);
}

TEST(TrainStep, may_use_more_threads_than_it_began_with) {
  const ThreadsRestored restored;
  set_num_threads(1);
  Trainee steady;
  Trainee growing;
  for (const int threads : {1, 2, 8, 3}) {
    set_num_threads(1);
    steady.step(static_cast<std::uint64_t>(threads));
    set_num_threads(threads);
    growing.step(static_cast<std::uint64_t>(threads));
  }
  expect_same_bytes(growing.parameters[0]->value, steady.parameters[0]->value, "conv1.weight");
}

// GEMM packs into buffers that each thread keeps, and which thread meets which block is a matter of chance.
// So each one runs a whole step: inside a task, nested work stays on its thread.
void let_each_thread_run_a_step(int threads) {
  std::atomic<int> started{0};
  parallel_for(threads, std::int64_t{1} << 30, [&](std::int64_t, int) {
    started.fetch_add(1);
    while (started.load() < threads) std::this_thread::yield();  // no thread takes two tasks
    Trainee().step(0);
  });
}

TEST(TrainStep, allocates_nothing_after_the_first_of_each_thread) {
  if (is_reference_backend()) GTEST_SKIP() << "its loops allocate";
  const ThreadsRestored restored;
  for (const int threads : {1, 2}) {
    set_num_threads(threads);
    let_each_thread_run_a_step(threads);
    Trainee trainee;
    trainee.step(0);
    const long before = allocations.load();
    for (std::uint64_t i = 1; i < 4; ++i) trainee.step(i);
    EXPECT_EQ(allocations.load() - before, 0) << threads << " threads";
  }
}

TEST(Executor, allocates_nothing_at_inference_after_the_first_run) {
  if (is_reference_backend()) GTEST_SKIP() << "its loops allocate";
  let_each_thread_run_a_step(thread_count());
  Trainee trainee(Mode::inference);
  trainee.executor->forward({});
  const long before = allocations.load();
  for (int i = 0; i < 3; ++i) trainee.executor->forward({});
  EXPECT_EQ(allocations.load() - before, 0);
}

}  // namespace
}  // namespace fastcnn::testing
