#include "core/task_share.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace fastcnn {
namespace {

constexpr std::chrono::microseconds no_time{0};

TEST(TaskShare, HasNothingBeforeAJobIsGiven) {
  TaskShare share;
  EXPECT_EQ(share.take_first(0), -1);
  EXPECT_EQ(share.take_last(0), -1);
}

TEST(TaskShare, GivesEachPortionOnceFromBothEnds) {
  TaskShare share;
  share.give({}, 1, 5, 9);
  EXPECT_EQ(share.take_first(1), 5);
  EXPECT_EQ(share.take_last(1), 8);
  EXPECT_EQ(share.take_first(1), 6);
  EXPECT_EQ(share.take_last(1), 7);
  EXPECT_EQ(share.take_first(1), -1);
  EXPECT_EQ(share.take_last(1), -1);
}

TEST(TaskShare, GivesNothingOfAnotherJob) {
  TaskShare share;
  share.give({}, 7, 0, 3);
  EXPECT_EQ(share.take_first(6), -1);
  EXPECT_EQ(share.take_last(8), -1);
  EXPECT_EQ(share.take_last(7), 2);
}

TEST(TaskShare, HoldsTheMostPortions) {
  TaskShare share;
  share.give({}, 0xffffffff, TaskShare::max_portions - 1, TaskShare::max_portions);
  EXPECT_EQ(share.take_last(0xffffffff), TaskShare::max_portions - 1);
  EXPECT_EQ(share.take_first(0xffffffff), -1);
}

TEST(TaskShare, ForgetsWhatWasDoneOfTheJobBefore) {
  TaskShare share;
  share.give({}, 1, 0, 1);
  share.set_done(1);
  EXPECT_EQ(share.done(), 1);
  share.give({}, 2, 0, 1);
  EXPECT_EQ(share.done(), 0);
}

TEST(TaskShare, WakesAWorkerThatSleeps) {
  TaskShare share;
  std::atomic<std::uint32_t> seen = 0;
  for (std::uint32_t number = 1; number <= 100; ++number) {
    const std::jthread worker([&] { seen = share.await(number - 1, no_time); });
    if (number % 2 == 0) std::this_thread::yield();
    share.give({}, number, 0, 0);
    share.wake();
  }
  EXPECT_EQ(seen, 100u);
}

TEST(TaskShare, IsSharedByThreadsThatTakeFromBothEnds) {
  for (int repeat = 0; repeat < 20; ++repeat) {
    TaskShare share;
    constexpr std::int64_t portions = 5000;
    std::vector<std::atomic<int>> taken(portions);
    share.give({}, 3, 0, portions);
    {
      std::vector<std::jthread> threads;
      for (int thread = 0; thread < 3; ++thread) {
        threads.emplace_back([&, thread] {
          std::int64_t portion;
          while ((portion = thread == 0 ? share.take_first(3) : share.take_last(3)) >= 0) {
            ++taken[static_cast<std::size_t>(portion)];
          }
        });
      }
    }
    for (const std::atomic<int>& times : taken) ASSERT_EQ(times, 1);
  }
}

}  // namespace
}  // namespace fastcnn
