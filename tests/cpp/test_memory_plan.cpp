#include "graph/memory_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/allocator.h"

namespace fastcnn::testing {
namespace {

// No two blocks alive at once overlap, all are aligned and inside the arena.
void expect_valid(const std::vector<Lifetime>& blocks, const MemoryPlan& plan) {
  ASSERT_EQ(plan.offsets.size(), blocks.size());
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(plan.offsets[i] % alignment, 0u);
    EXPECT_LE(plan.offsets[i] + blocks[i].bytes, plan.bytes);
    for (std::size_t j = 0; j < i; ++j) {
      const bool together = blocks[i].first <= blocks[j].last && blocks[j].first <= blocks[i].last;
      const bool overlap = plan.offsets[i] < plan.offsets[j] + blocks[j].bytes &&
                           plan.offsets[j] < plan.offsets[i] + blocks[i].bytes;
      ASSERT_FALSE(together && overlap && blocks[i].bytes > 0 && blocks[j].bytes > 0) << i << " and " << j;
    }
  }
}

// The most bytes alive at any one time: no plan can do with less.
std::size_t lower_bound(const std::vector<Lifetime>& blocks) {
  std::size_t most = 0;
  for (const Lifetime& at : blocks) {
    std::size_t alive = 0;
    for (const Lifetime& block : blocks) {
      if (block.first <= at.first && at.first <= block.last) alive += align_up(block.bytes);
    }
    most = std::max(most, alive);
  }
  return most;
}

TEST(MemoryPlan, of_nothing_is_empty) {
  EXPECT_EQ(plan_memory({}).bytes, 0u);
  const std::vector<Lifetime> empty = {{0, 0, 3}, {0, 1, 2}};
  EXPECT_EQ(plan_memory(empty).bytes, 0u);
}

TEST(MemoryPlan, of_a_chain_is_its_largest_pair) {
  // Values of a feed-forward net: each lives until the next is made.
  const std::vector<Lifetime> chain = {{1024, 0, 1}, {4096, 1, 2}, {2048, 2, 3}, {512, 3, 4}, {64, 4, 5}};
  const MemoryPlan plan = plan_memory(chain);
  expect_valid(chain, plan);
  EXPECT_EQ(plan.bytes, 4096u + 2048u);
}

TEST(MemoryPlan, puts_blocks_that_never_meet_in_one_place) {
  const std::vector<Lifetime> blocks = {{256, 0, 0}, {256, 1, 1}, {256, 2, 2}};
  const MemoryPlan plan = plan_memory(blocks);
  EXPECT_EQ(plan.bytes, 256u);
  EXPECT_EQ(plan.offsets, (std::vector<std::size_t>{0, 0, 0}));
}

TEST(MemoryPlan, fills_a_gap_between_longer_lived_blocks) {
  const std::vector<Lifetime> blocks = {{1024, 0, 9}, {512, 0, 4}, {512, 5, 9}, {256, 0, 9}, {128, 5, 6}};
  const MemoryPlan plan = plan_memory(blocks);
  expect_valid(blocks, plan);
  EXPECT_EQ(plan.bytes, lower_bound(blocks));
}

TEST(MemoryPlan, keeps_a_block_that_is_written_when_another_is_last_read_apart) {
  const std::vector<Lifetime> blocks = {{64, 0, 1}, {64, 1, 2}};
  EXPECT_EQ(plan_memory(blocks).bytes, 128u);
}

TEST(MemoryPlan, of_random_lifetimes_is_valid_and_near_the_lower_bound) {
  std::mt19937 random(1);
  double worst = 1;
  for (int round = 0; round < 300; ++round) {
    std::vector<Lifetime> blocks(1 + random() % 60);
    for (Lifetime& block : blocks) {
      block.bytes = random() % 8 == 0 ? 0 : random() % 10000;
      block.first = static_cast<int>(random() % 40);
      block.last = block.first + static_cast<int>(random() % (random() % 3 == 0 ? 40 : 4));
    }
    const MemoryPlan plan = plan_memory(blocks);
    expect_valid(blocks, plan);
    if (::testing::Test::HasFatalFailure()) return;
    const std::size_t bound = lower_bound(blocks);
    EXPECT_GE(plan.bytes, bound);
    if (bound > 0) worst = std::max(worst, static_cast<double>(plan.bytes) / static_cast<double>(bound));
  }
  EXPECT_LT(worst, 1.35);
}

}  // namespace
}  // namespace fastcnn::testing
