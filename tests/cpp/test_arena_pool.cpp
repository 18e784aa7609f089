#include "graph/arena_pool.h"

#include <gtest/gtest.h>

#include <random>

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

}  // namespace
}  // namespace fastcnn::testing
