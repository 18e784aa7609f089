// The library's own threads. Work is cut into tasks by shape, never by the number of threads; which
// thread runs a task has no influence on its result, so results are the same bits for any count.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace fastcnn {

// Non-owning reference to a callable body(task, worker), or to nothing.
class TaskRef {
 public:
  TaskRef() = default;
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, TaskRef>)
  TaskRef(F&& f)  // NOLINT: implicit on purpose
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
        call_([](void* object, std::int64_t task, int worker) {
          (*static_cast<std::remove_reference_t<F>*>(object))(task, worker);
        }) {}
  void operator()(std::int64_t task, int worker) const { call_(object_, task, worker); }

 private:
  void* object_ = nullptr;
  void (*call_)(void*, std::int64_t, int) = nullptr;
};

struct ThreadCount {
  int threads = 1;
  std::string reason;  // "affinity: 2 CPUs", "cgroup quota: 1.5 CPUs", "FASTCNN_NUM_THREADS"
};

inline constexpr int max_threads = 1024;

// min(affinity, cgroup quota), or FASTCNN_NUM_THREADS; throws ValueError when that is set to anything
// but a whole number from 1 to max_threads.
ThreadCount default_num_threads();

ThreadCount num_threads();          // as set, else default_num_threads() as of the first call
int thread_count();                 // num_threads().threads, without making a string
void set_num_threads(int threads);  // from the next parallel_for on; throws ValueError as above

// Runs body(task, worker) for task in [0, tasks). worker is in [0, num_threads().threads) and no two
// tasks run at once with the same worker: index per-thread scratch by it. Stays on the caller's
// thread when tasks * ops_per_task (floating-point operations, or bytes moved) is too little to pay
// for waking others, when called from inside a task, or when another thread holds the pool.
// Denormals are flushed inside tasks. When a task throws, no higher ones start, and the exception of the
// lowest task is rethrown here after all started ones have ended.
void parallel_for(std::int64_t tasks, std::int64_t ops_per_task, TaskRef body);

// While it lives, parallel_for on this thread hands out only workers below `threads`. Whoever holds
// per-worker scratch puts one around its calls: set_num_threads on another thread then does no harm.
class ThreadLimit {
 public:
  explicit ThreadLimit(int threads);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  int saved_;
};

// One call of parallel_for.
struct ParallelCall {
  std::int64_t tasks;
  bool worthwhile;  // more than one task, and enough work to wake other threads for
  double seconds;
};

// While it lives, calls of parallel_for on this thread are noted, except those from inside of tasks. Costs a
// look at the clock each; the latest recorder notes.
class ParallelRecorder {
 public:
  ParallelRecorder();
  ~ParallelRecorder();
  ParallelRecorder(const ParallelRecorder&) = delete;
  ParallelRecorder& operator=(const ParallelRecorder&) = delete;

  // The calls since the last one of this.
  std::vector<ParallelCall> take() { return std::exchange(calls_, {}); }

 private:
  friend void parallel_for(std::int64_t tasks, std::int64_t ops_per_task, TaskRef body);

  std::vector<ParallelCall> calls_;
  ParallelRecorder* outer_;
};

// Flushes denormals to zero on this thread for its lifetime, then restores the previous state.
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  std::uint64_t saved_;
};

}  // namespace fastcnn
