#include "core/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#if defined(__unix__)
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "core/error.h"

namespace fastcnn {
namespace {

constexpr std::int64_t large = 1'000'000;  // operations per task: worth a thread

class ThreadPool : public testing::TestWithParam<int> {
 protected:
  ThreadPool() { set_num_threads(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(, ThreadPool, testing::Values(1, 2, 3, 8),
                         [](const auto& info) { return std::to_string(info.param) + "_threads"; });

TEST_P(ThreadPool, runs_every_task_once) {
  for (const std::int64_t tasks : {0, 1, 2, 7, 100, 5000}) {
    for (const std::int64_t ops : {std::int64_t{0}, std::int64_t{1000}, large}) {
      std::vector<int> runs(static_cast<std::size_t>(tasks), 0);
      parallel_for(tasks, ops, [&](std::int64_t task, int) { ++runs[static_cast<std::size_t>(task)]; });
      EXPECT_EQ(std::accumulate(runs.begin(), runs.end(), std::int64_t{0}), tasks);
      EXPECT_EQ(std::count(runs.begin(), runs.end(), 1), tasks);
    }
  }
}

TEST_P(ThreadPool, runs_many_jobs_in_a_row) {
  std::atomic<int> runs = 0;
  for (int job = 0; job < 2000; ++job) parallel_for(5, large, [&](std::int64_t, int) { ++runs; });
  EXPECT_EQ(runs, 10000);
}

TEST_P(ThreadPool, gives_each_worker_one_task_at_a_time) {
  std::vector<std::atomic<int>> inside(static_cast<std::size_t>(GetParam()));
  std::atomic<bool> overlap = false;
  parallel_for(1000, large, [&](std::int64_t, int worker) {
    std::atomic<int>& here = inside.at(static_cast<std::size_t>(worker));
    if (here.fetch_add(1) != 0) overlap = true;
    std::this_thread::yield();
    here.fetch_sub(1);
  });
  EXPECT_FALSE(overlap);
}

// Waits in every task until all tasks have started: ends only when each has a thread of its own.
std::set<int> meet(int tasks) {
  std::atomic<int> started = 0;
  std::vector<int> workers(static_cast<std::size_t>(tasks));
  parallel_for(tasks, large, [&](std::int64_t task, int worker) {
    workers[static_cast<std::size_t>(task)] = worker;
    ++started;
    while (started < tasks) std::this_thread::yield();
  });
  return {workers.begin(), workers.end()};
}

TEST_P(ThreadPool, uses_all_its_threads) {
  EXPECT_EQ(meet(GetParam()).size(), static_cast<std::size_t>(GetParam()));
}

TEST_P(ThreadPool, rethrows_the_exception_of_the_lowest_task) {
  for (int repeat = 0; repeat < 50; ++repeat) {
    std::atomic<int> inside = 0;
    try {
      parallel_for(500, large, [&](std::int64_t task, int) {
        ++inside;
        if (task % 100 == 37) {
          --inside;
          throw std::runtime_error(std::to_string(task));
        }
        --inside;
      });
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "37");
    }
    EXPECT_EQ(inside, 0);
  }
  EXPECT_EQ(meet(GetParam()).size(), static_cast<std::size_t>(GetParam()));
}

TEST_P(ThreadPool, runs_nested_loops_on_the_same_worker) {
  std::atomic<int> runs = 0;
  std::atomic<bool> moved = false;
  parallel_for(20, large, [&](std::int64_t, int worker) {
    const std::thread::id thread = std::this_thread::get_id();
    parallel_for(20, large, [&](std::int64_t, int inner) {
      ++runs;
      if (inner != worker || std::this_thread::get_id() != thread) moved = true;
    });
  });
  EXPECT_EQ(runs, 400);
  EXPECT_FALSE(moved);
}

TEST_P(ThreadPool, serves_several_callers_at_once) {
  constexpr int callers = 4;
  std::vector<std::int64_t> sums(callers, 0);
  {
    std::vector<std::jthread> threads;
    for (int caller = 0; caller < callers; ++caller) {
      threads.emplace_back([&sums, caller] {
        for (int repeat = 0; repeat < 200; ++repeat) {
          std::vector<std::int64_t> per_worker(static_cast<std::size_t>(num_threads().threads), 0);
          parallel_for(50, large, [&](std::int64_t task, int worker) {
            per_worker[static_cast<std::size_t>(worker)] += task;
          });
          sums[static_cast<std::size_t>(caller)] +=
              std::accumulate(per_worker.begin(), per_worker.end(), std::int64_t{0});
        }
      });
    }
  }
  for (const std::int64_t sum : sums) EXPECT_EQ(sum, 200 * 50 * 49 / 2);
}

TEST_P(ThreadPool, keeps_small_work_on_the_thread_of_the_caller) {
  const std::thread::id caller = std::this_thread::get_id();
  parallel_for(10, 100, [&](std::int64_t, int worker) {
    EXPECT_EQ(worker, 0);
    EXPECT_EQ(std::this_thread::get_id(), caller);
  });
}

TEST_P(ThreadPool, takes_work_whose_operations_overflow) {
  std::atomic<int> runs = 0;
  parallel_for(100, std::numeric_limits<std::int64_t>::max(), [&](std::int64_t, int) { ++runs; });
  EXPECT_EQ(runs, 100);
}

TEST_P(ThreadPool, limit_bounds_the_workers) {
  const ThreadLimit limit(2);
  std::atomic<int> highest = 0;
  parallel_for(500, large, [&](std::int64_t, int worker) {
    int seen = highest;
    while (worker > seen && !highest.compare_exchange_weak(seen, worker)) {
    }
    std::this_thread::yield();
  });
  EXPECT_LT(highest, 2);
  EXPECT_EQ(meet(std::min(2, GetParam())).size(), static_cast<std::size_t>(std::min(2, GetParam())));
}

TEST_P(ThreadPool, flushes_denormals_in_tasks_and_nowhere_else) {
#if !defined(__SSE2__) && !defined(__aarch64__)
  GTEST_SKIP() << "this CPU has no way to flush denormals";
#endif
  const volatile float smallest_normal = std::numeric_limits<float>::min();
  std::atomic<int> kept = 0;
  for (const std::int64_t ops : {std::int64_t{1}, large}) {
    parallel_for(100, ops, [&](std::int64_t, int) {
      const volatile float half = smallest_normal * 0.5F;
      if (half != 0.0F) ++kept;
    });
  }
  EXPECT_EQ(kept, 0);
  const volatile float half = smallest_normal * 0.5F;
  EXPECT_NE(half, 0.0F);
}

// ThreadSanitizer doesn't support threads in the child of a process that had threads.
#if defined(__unix__) && !defined(__SANITIZE_THREAD__)
#if defined(FASTCNN_EMULATED)
constexpr bool emulated = true;
#else
constexpr bool emulated = false;
#endif
constexpr const char* emulator_aborts = "qemu-user 7.2 aborts where such a child starts a thread";

// What the child of a fork() does: a child that waits for ever is killed, and fails the test.
[[noreturn]] void exit_after_meeting(int threads) {
  alarm(60);
  _exit(meet(threads).size() == static_cast<std::size_t>(threads) ? 0 : 1);
}

TEST_P(ThreadPool, works_in_a_forked_child_and_still_in_the_parent) {
  if (emulated && GetParam() > 1) GTEST_SKIP() << emulator_aborts;
  meet(GetParam());
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) exit_after_meeting(GetParam());
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(meet(GetParam()).size(), static_cast<std::size_t>(GetParam()));
}

TEST_P(ThreadPool, works_in_a_child_forked_while_another_thread_holds_the_pool) {
  if (emulated && GetParam() > 1) GTEST_SKIP() << emulator_aborts;
  std::atomic<int> inside = 0;
  std::atomic<bool> release = false;
  std::jthread holder([&] {
    parallel_for(GetParam(), large, [&](std::int64_t, int) {
      ++inside;
      while (!release) std::this_thread::yield();
    });
  });
  // A thread that is still starting may hold locks of AddressSanitizer, which the child would wait for.
  while (inside < GetParam()) std::this_thread::yield();
  const pid_t child = fork();
  if (child == 0) exit_after_meeting(GetParam());
  release = true;
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif

TEST(SetNumThreads, takes_effect_at_the_next_loop) {
  for (const int threads : {4, 1, 2, 7, 2}) {
    set_num_threads(threads);
    EXPECT_EQ(num_threads().threads, threads);
    EXPECT_EQ(meet(threads).size(), static_cast<std::size_t>(threads));
  }
}

TEST(SetNumThreads, may_be_called_while_another_thread_works) {
  std::atomic<int> runs = 0;
  {
    std::jthread worker([&] {
      for (int job = 0; job < 300; ++job) parallel_for(10, large, [&](std::int64_t, int) { ++runs; });
    });
    for (int i = 0; i < 300; ++i) set_num_threads(1 + i % 5);
  }
  EXPECT_EQ(runs, 3000);
}

TEST(SetNumThreads, refuses_numbers_out_of_range) {
  EXPECT_THROW(set_num_threads(0), ValueError);
  EXPECT_THROW(set_num_threads(-3), ValueError);
  EXPECT_THROW(set_num_threads(max_threads + 1), ValueError);
}

TEST(ParallelRecorder, NotesCallsWithTheirTasksButNoneFromInsideOfTasks) {
  ParallelRecorder outer;
  parallel_for(3, 1, [](std::int64_t, int) {});
  {
    ParallelRecorder recorder;
    parallel_for(7, 1'000'000, [](std::int64_t, int) { parallel_for(5, 1'000'000, [](std::int64_t, int) {}); });
    parallel_for(1, 1'000'000, [](std::int64_t, int) {});
    parallel_for(0, 1, [](std::int64_t, int) {});
    const std::vector<ParallelCall> calls = recorder.take();
    ASSERT_EQ(calls.size(), 2u);
    EXPECT_EQ(calls[0].tasks, 7);
    EXPECT_TRUE(calls[0].worthwhile);
    EXPECT_FALSE(calls[1].worthwhile);
    EXPECT_GE(calls[0].seconds, 0.0);
    EXPECT_TRUE(recorder.take().empty());
  }
  const std::vector<ParallelCall> calls = outer.take();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_FALSE(calls[0].worthwhile);
}

}  // namespace
}  // namespace fastcnn
