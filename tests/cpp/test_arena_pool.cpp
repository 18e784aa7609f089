#include "graph/arena_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <random>
#include <thread>

#include "graph_testing.h"
#include "ops/registry.h"

namespace fastcnn::testing {
namespace {

struct CountedPool {
  std::size_t made = 0;
  ArenaPool pool{[this](std::size_t bytes) {
    ++made;
    return allocate(bytes);
  }};
};

TEST(ArenaPool, a_smaller_plan_takes_the_arena_of_the_largest) {
  CountedPool counted;
  ArenaPool& pool = counted.pool;
  for (const std::size_t bytes : {1000, 500}) pool.announce(bytes);
  Arena large = pool.take(1000);
  const std::byte* memory = large.data.get();
  pool.give_back(std::move(large));
  Arena small = pool.take(500);
  EXPECT_EQ(small.data.get(), memory);
  EXPECT_EQ(counted.made, 1u);
  pool.give_back(std::move(small));
}

TEST(ArenaPool, two_at_once_have_each_their_own) {
  CountedPool counted;
  ArenaPool& pool = counted.pool;
  pool.announce(100);
  Arena a = pool.take(100), b = pool.take(100);
  EXPECT_NE(a.data.get(), b.data.get());
  const std::byte* preferred = b.data.get();
  pool.give_back(std::move(a));
  pool.give_back(std::move(b));
  Arena again = pool.take(100, preferred);
  EXPECT_EQ(again.data.get(), preferred);
  EXPECT_EQ(counted.made, 2u);
  pool.give_back(std::move(again));
}

TEST(ArenaPool, a_larger_arena_takes_the_place_of_an_idle_one) {
  CountedPool counted;
  ArenaPool& pool = counted.pool;
  std::size_t largest = 0;
  std::mt19937 generator(1);
  for (int i = 0; i < 200; ++i) {
    const std::size_t bytes = 1 + generator() % 100'000;
    largest = std::max(largest, bytes);
    pool.announce(bytes);
    pool.give_back(pool.take(bytes));
    EXPECT_EQ(pool.idle_bytes(), largest);
  }
}

TEST(ArenaPool, what_nobody_will_ask_for_is_freed) {
  CountedPool counted;
  ArenaPool& pool = counted.pool;
  pool.announce(100);
  pool.announce(1000);
  pool.give_back(pool.take(1000));
  pool.retract(1000);
  EXPECT_EQ(pool.idle_bytes(), 0u);
  pool.give_back(pool.take(100));
  EXPECT_EQ(pool.idle_bytes(), 100u);
  pool.retract(100);
  EXPECT_EQ(pool.idle_bytes(), 0u);
}

TEST(ArenaPool, takes_the_smallest_that_is_large_enough) {
  CountedPool counted;
  ArenaPool& pool = counted.pool;
  for (const std::size_t bytes : {100, 200, 300}) pool.announce(bytes);
  std::vector<Arena> taken;
  for (const std::size_t bytes : {300, 100, 200}) taken.push_back(pool.take(bytes));
  const std::byte* const middle = taken[2].data.get();
  for (Arena& arena : taken) pool.give_back(std::move(arena));
  EXPECT_EQ(pool.idle_bytes(), 600u);
  Arena arena = pool.take(150);
  EXPECT_EQ(arena.data.get(), middle);
  EXPECT_EQ(arena.bytes, 200u);
  const std::byte* const preferred = arena.data.get();
  pool.give_back(std::move(arena));
  EXPECT_NE(pool.take(250, preferred).data.get(), preferred);  // which is too small
}

TEST(ArenaPool, is_usable_after_memory_ran_out) {
  bool is_full = false;
  ArenaPool pool([&](std::size_t bytes) { return is_full ? throw std::bad_alloc() : allocate(bytes); });
  pool.announce(100);
  pool.announce(1000);
  pool.give_back(pool.take(100));
  is_full = true;
  EXPECT_THROW(pool.take(1000), std::bad_alloc);
  is_full = false;
  Arena arena = pool.take(1000);
  EXPECT_EQ(arena.bytes, 1000u);
  pool.give_back(std::move(arena));
  EXPECT_EQ(pool.idle_bytes(), 1000u);
}

TEST(ArenaPool, gives_no_memory_to_two_threads_at_once) {
  ArenaPool pool(allocate);
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        std::mt19937 generator(static_cast<unsigned>(t));
        for (int i = 0; i < 300; ++i) {
          const std::size_t bytes = 64 + generator() % 4096;
          pool.announce(bytes);
          Arena arena = pool.take(bytes);
          std::memset(arena.data.get(), t, bytes);
          std::this_thread::yield();
          const std::byte* const p = arena.data.get();
          if (!std::all_of(p, p + bytes, [&](std::byte b) { return b == static_cast<std::byte>(t); })) ++wrong;
          pool.give_back(std::move(arena));
          pool.retract(bytes);
        }
      });
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(pool.idle_bytes(), 0u);
}

std::shared_ptr<Executor> tanh_of(std::int64_t batch, Mode mode = Mode::training) {
  Graph graph;
  const ValueId x = graph.input({{batch, 100}, DType::float64}, "x", true);
  ValueId v = x;
  for (const char* name : {"a", "b"}) v = graph.add(activation_op("tanh"), {v}, name);
  graph.output(v);
  return std::make_shared<Executor>(std::make_shared<const Plan>(graph, mode, backend()));
}

TEST(Executor, gives_its_memory_to_the_next) {
  ArenaPool& pool = backend()->arenas();
  const std::size_t before = pool.idle_bytes();
  const auto large = tanh_of(64), small = tanh_of(16);
  fill(large->input(0), random_tensor({{64, 100}, DType::float64}, 1));
  large->forward({});
  large->release();
  const std::size_t idle = pool.idle_bytes();
  EXPECT_GE(idle, before + large->plan().arena_bytes());
  const void* memory = large->input(0).data;  // borrows it again
  large->release();
  fill(small->input(0), random_tensor({{16, 100}, DType::float64}, 1));
  small->forward({});
  small->release();
  EXPECT_EQ(pool.idle_bytes(), idle);
  EXPECT_EQ(large->input(0).data, memory);
  large->release();
}

TEST(Executor, runs_as_before_after_it_gave_its_memory_back) {
  const auto executor = tanh_of(8), other = tanh_of(32);
  const Tensor x = random_tensor({{8, 100}, DType::float64}, 2), dy = random_tensor({{8, 100}, DType::float64}, 3);
  const auto run = [&] {
    fill(executor->input(0), x);
    executor->forward({});
    fill(executor->output_grad(0), dy);
    executor->backward();
    return std::pair(copy_of(executor->output(0)), copy_of(executor->input_grad(0)));
  };
  const auto [y, dx] = run();
  executor->release();
  fill(other->input(0), random_tensor({{32, 100}, DType::float64}, 4));
  other->forward({});
  for (int i = 0; i < 2; ++i) {
    const auto [again_y, again_dx] = run();
    expect_same_bytes(again_y, y, "y");
    expect_same_bytes(again_dx, dx, "dx");
    executor->release();
  }
}

TEST(Executor, goes_backward_only_while_it_holds_its_memory) {
  const auto executor = tanh_of(8);
  fill(executor->input(0), random_tensor({{8, 100}, DType::float64}, 2));
  executor->forward({});
  executor->release();
  EXPECT_THROW(executor->backward(), Error);
}

TEST(Executor, holds_no_values_after_it_gave_its_memory_back) {
  const auto executor = tanh_of(8);
  EXPECT_THROW(executor->output(0), Error);
  fill(executor->input(0), random_tensor({{8, 100}, DType::float64}, 2));
  executor->forward({});
  executor->release();
  const auto expect = [](auto f) { expect_throws<Error>(f, "holds no values: it hasn't run, or was released"); };
  expect([&] { executor->output(0); });
  expect([&] { executor->output_grad(0); });
  expect([&] { executor->input_grad(0); });
  EXPECT_NO_THROW(executor->release());
}

TEST(Executor, shares_memory_with_another_that_runs_in_turn) {
  ArenaPool& pool = backend()->arenas();
  const auto large = tanh_of(64), small = tanh_of(16);
  std::size_t idle = 0;
  for (int i = 0; i < 20; ++i)
    for (const auto& executor : {large, small}) {
      executor->input(0);
      executor->forward({});
      executor->fill_output_grads(1);
      executor->backward();
      executor->release();
      if (i == 0 && executor == large) idle = pool.idle_bytes();
      EXPECT_EQ(pool.idle_bytes(), idle);
    }
}

TEST(Executor, keeps_what_awaits_backward_while_others_run) {
  const Spec spec{{32, 100}, DType::float64};
  const Tensor x = random_tensor(spec, 2);
  const auto start = [&](Executor& executor) {
    fill(executor.input(0), x);
    executor.forward({});
    executor.fill_output_grads(1);
  };
  const auto alone = tanh_of(32), waiting = tanh_of(32);
  start(*alone);
  alone->backward();
  const Tensor y = copy_of(alone->output(0)), dx = copy_of(alone->input_grad(0));
  alone->release();
  start(*waiting);
  for (const std::int64_t batch : {1, 32, 90}) {
    const auto other = tanh_of(batch);
    fill(other->input(0), random_tensor({{batch, 100}, DType::float64}, 4));
    other->forward({});
    EXPECT_NE(other->input(0).data, waiting->input(0).data);
    other->release();
  }
  expect_same_bytes(copy_of(waiting->output(0)), y, "y");
  waiting->backward();
  expect_same_bytes(copy_of(waiting->input_grad(0)), dx, "dx");
}

TEST(Executor, takes_its_memory_along_when_it_goes) {
  ArenaPool& pool = backend()->arenas();
  const std::size_t before = pool.idle_bytes();
  for (const bool is_released : {false, true}) {
    const auto executor = tanh_of(200);
    executor->input(0);
    executor->forward({});
    if (is_released) executor->release();
  }
  EXPECT_EQ(pool.idle_bytes(), before);
}

TEST(Executor, of_200_random_shapes_take_together_what_the_largest_takes) {
  ArenaPool& pool = backend()->arenas();
  ASSERT_EQ(pool.idle_bytes(), 0u);
  std::mt19937 generator(1);
  std::vector<std::shared_ptr<Executor>> executors;
  std::size_t largest = 0, sum = 0;
  for (int i = 0; i < 200; ++i) {
    const auto batch = static_cast<std::int64_t>(1 + generator() % 300);
    executors.push_back(tanh_of(batch, generator() % 2 == 0 ? Mode::training : Mode::inference));
    executors.back()->input(0);
    executors.back()->forward({});
    executors.back()->release();
    const std::size_t bytes = executors.back()->plan().arena_bytes();
    largest = std::max(largest, bytes);
    sum += bytes;
    EXPECT_LE(pool.idle_bytes(), largest + largest / 10);
  }
  for (int i = 0; i < 200; ++i) {
    const auto& executor = executors[generator() % executors.size()];
    executor->input(0);
    executor->forward({});
    executor->release();
  }
  EXPECT_LE(pool.idle_bytes(), largest + largest / 10);
  EXPECT_GT(sum, 20 * largest);
  executors.clear();
  EXPECT_EQ(pool.idle_bytes(), 0u);
}

// Sine takes scratch for each worker: what was borrowed for one thread must not be used by eight.
TEST(Executor, has_scratch_for_as_many_threads_as_there_are_at_its_next_run) {
  const ThreadsRestored restored;
  const Spec spec{{40, 30}, DType::float64};
  Graph graph;
  const ValueId x = graph.input(spec, "x", true);
  graph.output(graph.add(std::make_shared<SineOp>(), {graph.add(std::make_shared<SineOp>(), {x}, "a")}, "b"));
  GraphRunner runner(graph, Mode::training, {random_tensor(spec, 3)});
  Tensor y, dx;
  for (const auto& [forward, backward] : {std::pair{1, 1}, {1, 8}, {8, 1}, {2, 8}, {8, 8}}) {
    set_num_threads(forward);
    runner.forward();
    const Tensor y_now = copy_of(runner.executor().output(0));
    set_num_threads(backward);
    runner.backward();
    const Tensor dx_now = copy_of(runner.executor().input_grad(0));
    if (!y) {
      y = y_now;
      dx = dx_now;
    }
    expect_same_bytes(y_now, y, "y");
    expect_same_bytes(dx_now, dx, "dx");
    if (forward == backward) runner.executor().release();
  }
}

}  // namespace
}  // namespace fastcnn::testing
