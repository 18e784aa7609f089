#include "graph/train_step.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <thread>

#include "graph_testing.h"

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
  explicit Trainee(Mode mode = Mode::training) {
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
    executor = std::make_unique<Executor>(std::make_shared<const Plan>(graph, mode));
    fill(executor->input(0), random_tensor(graph.spec(x), 7));
    for (std::int64_t i = 0; i < batch; ++i) executor->input(1).as<std::int64_t>()[i] = i % classes;
  }

  ValueId weight(Graph& graph, Shape shape) {
    const ParameterPtr p = random_parameter({shape, DType::float32}, static_cast<unsigned>(slots.size()), 0.2);
    slots.push_back({.parameter = p, .velocity = {}});
    return graph.parameter(p, std::string("p").append(std::to_string(slots.size())));
  }

  float step(std::uint64_t number) {
    train_step(*executor, slots, settings, {.seed = 1, .step = number});
    return *executor->output(0).as<float>();
  }

  std::vector<SgdSlot> slots;
  std::vector<SgdSettings> settings = {{.lr = 0.05, .momentum = 0.9, .weight_decay = 1e-4}};
  std::unique_ptr<Executor> executor;
};

std::string name(std::size_t parameter) { return std::string("p").append(std::to_string(parameter)); }

struct ThreadsRestored {
  const int before = thread_count();
  ~ThreadsRestored() { set_num_threads(before); }
};

TEST(TrainStep, learns_its_batch) {
  Trainee trainee;
  const float first = trainee.step(0);
  float last = first;
  for (std::uint64_t i = 1; i < 60; ++i) last = trainee.step(i);
  EXPECT_GT(first, 1.5f);
  EXPECT_LT(last, 0.3f * first);
}

TEST(TrainStep, does_what_forward_backward_and_update_do_one_by_one) {
  Trainee fused;
  Trainee loop;
  for (std::uint64_t i = 0; i < 3; ++i) {
    fused.step(i);
    loop.executor->forward({.seed = 1, .step = i});
    *loop.executor->output_grad(0).as<float>() = 1.0f;
    for (const SgdSlot& slot : loop.slots) slot.parameter->has_grad = false;
    loop.executor->backward();
    sgd_step(loop.slots, loop.settings);
  }
  for (std::size_t p = 0; p < fused.slots.size(); ++p) {
    expect_same_bytes(fused.slots[p].parameter->value, loop.slots[p].parameter->value, name(p));
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
    for (std::size_t p = 0; p < one.slots.size(); ++p) {
      expect_same_bytes(many.slots[p].parameter->value, one.slots[p].parameter->value, name(p) + at);
    }
    expect_same_bytes(copy_of(many.executor->output(1)), copy_of(one.executor->output(1)), "logits" + at);
  }
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
  expect_same_bytes(growing.slots[0].parameter->value, steady.slots[0].parameter->value, "conv1.weight");
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
  let_each_thread_run_a_step(thread_count());
  Trainee trainee(Mode::inference);
  trainee.executor->forward({});
  const long before = allocations.load();
  for (int i = 0; i < 3; ++i) trainee.executor->forward({});
  EXPECT_EQ(allocations.load() - before, 0);
}

}  // namespace
}  // namespace fastcnn::testing
