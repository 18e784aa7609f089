// The part of a job that one worker runs before it helps others. When a job is run again, each worker gets the same
// part, and finds in its own caches what it left there.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "core/allocator.h"
#include "core/ceil_div.h"
#include "core/spin_wait.h"
#include "core/thread_pool.h"

namespace fastcnn {

// Tasks [0, tasks), of which threads take `portion` at a time.
struct Job {
  TaskRef body;
  std::int64_t tasks = 0;
  std::int64_t portion = 1;

  std::int64_t portions() const { return ceil_div(tasks, portion); }
};

// All that passes between the caller and one worker lies in one cache line: between distant cores a line takes longer
// to pass than many a job to run.
class alignas(alignment) TaskShare {
 public:
  static constexpr std::int64_t max_portions = 0xffff;  // of one job

  // By the caller, when nothing of an earlier job is left or running: portions [begin, end) of a job. `number` is not
  // that of the job before.
  void give(const Job& job, std::uint32_t number, std::int64_t begin, std::int64_t end) {
    job_ = job;
    done_.store(0, std::memory_order_relaxed);
    rest_.store(Rest{number, begin, end}.packed(), std::memory_order_release);
  }
  // Wakes the worker where it sleeps in await().
  void wake() {
    if (asleep_.exchange(0, std::memory_order_acq_rel) != 0) asleep_.notify_one();
  }
  // By the worker: the number of the latest job that was given, as soon as it is not `seen`. Looks for `spin`, then
  // sleeps.
  std::uint32_t await(std::uint32_t seen, std::chrono::microseconds spin) {
    if (spin_until(spin, [&] { return number() != seen; })) return number();
    while (number() == seen) {
      asleep_.exchange(1, std::memory_order_acq_rel);  // either wake() sees this, or the next line sees the job
      if (number() == seen) asleep_.wait(1, std::memory_order_acquire);
    }
    asleep_.store(0, std::memory_order_relaxed);
    return number();
  }

  // A portion of job `number`, or -1 when none is left. The worker itself takes the first, others the last.
  std::int64_t take_first(std::uint32_t number) {
    return take(number, [](Rest& rest) { return rest.begin++; });
  }
  std::int64_t take_last(std::uint32_t number) {
    return take(number, [](Rest& rest) { return --rest.end; });
  }
  // Of the worker's latest job; valid while a portion is running that this worker took, of any share.
  const Job& job() const { return job_; }

  // How many portions of the job this worker has run.
  void set_done(std::int64_t portions) { done_.store(portions, std::memory_order_seq_cst); }
  std::int64_t done() const { return done_.load(std::memory_order_seq_cst); }

 private:
  // What nobody took yet, and of which job: one word, so that a portion can be taken of that job alone.
  struct Rest {
    std::uint32_t number;
    std::int64_t begin, end;

    explicit Rest(std::uint64_t word)
        : number(static_cast<std::uint32_t>(word >> 32)), begin(word >> 16 & 0xffff), end(word & 0xffff) {}
    Rest(std::uint32_t job_number, std::int64_t first, std::int64_t last)
        : number(job_number), begin(first), end(last) {}
    std::uint64_t packed() const {
      return std::uint64_t{number} << 32 | static_cast<std::uint64_t>(begin) << 16 | static_cast<std::uint64_t>(end);
    }
  };

  std::uint32_t number() const { return Rest(rest_.load(std::memory_order_acquire)).number; }

  template <class F>
  std::int64_t take(std::uint32_t number, F from) {
    std::uint64_t word = rest_.load(std::memory_order_relaxed);
    while (true) {
      Rest rest(word);
      if (rest.number != number || rest.begin == rest.end) return -1;
      const std::int64_t portion = from(rest);
      if (rest_.compare_exchange_weak(word, rest.packed(), std::memory_order_acquire, std::memory_order_relaxed)) {
        return portion;
      }
    }
  }

  std::atomic<std::uint64_t> rest_{0};
  std::atomic<std::int64_t> done_{0};
  Job job_;
  std::atomic<std::uint32_t> asleep_{0};
};

static_assert(sizeof(TaskShare) == alignment);

}  // namespace fastcnn
