#include "core/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#define FASTCNN_POSIX_THREADS
#endif

#include "core/allocator.h"
#include "core/cpu_count.h"
#include "core/error.h"
#include "core/spin_wait.h"

namespace fastcnn {
namespace {

// Work below this many operations takes about as long as waking a thread for it.
constexpr std::int64_t min_parallel_ops = 50'000;
// A thread takes tasks from the shared counter in portions of about this many operations...
constexpr std::int64_t ops_per_portion = 10'000;
// ...but leaves at least so many portions per thread, which even out what the tasks differ by.
constexpr std::int64_t portions_per_thread = 8;
// How long a thread looks out for work before it sleeps: longer than the gaps between the steps of a
// network, too short to be felt by other processes.
constexpr std::chrono::microseconds spin_time{50};

constexpr int no_worker = -1;
thread_local int current_worker = no_worker;  // of the task that runs on this thread
thread_local int thread_limit = max_threads;

thread_local ParallelRecorder* recorder = nullptr;

class InsideTask {
 public:
  explicit InsideTask(int worker) { current_worker = worker; }
  ~InsideTask() { current_worker = no_worker; }
  InsideTask(const InsideTask&) = delete;
  InsideTask& operator=(const InsideTask&) = delete;
};

// Threads inherit the signal mask: with all blocked, signals go to the threads of the application.
class BlockSignals {
 public:
#if defined(FASTCNN_POSIX_THREADS)
  BlockSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved_);
  }
  ~BlockSignals() { pthread_sigmask(SIG_SETMASK, &saved_, nullptr); }
  BlockSignals(const BlockSignals&) = delete;
  BlockSignals& operator=(const BlockSignals&) = delete;

 private:
  sigset_t saved_;
#endif
};

struct Job {
  TaskRef body;
  std::int64_t tasks;
  std::int64_t portion;
  int limit;  // workers from here on stay out
};

// Fork and join of one job at a time. A worker that wakes late finds the gate closed and sleeps on, so
// a job never waits for a thread that the system has not scheduled yet.
class Pool {
 public:
  // Runs the job on up to `threads` threads, this one among them. False when another caller is in.
  bool try_run(const Job& job, int threads);

 private:
  static constexpr std::uint32_t gate_open = 1U << 31;

  void resize(int threads);
  void run(const Job& job);
  void wake(const Job& job);
  void work(int worker, std::uint32_t seen);
  bool enter(int worker);
  void leave();
  void take_tasks(int worker);
  void keep_error(std::int64_t task);

  // What waiting threads watch has cache lines of its own.
  alignas(alignment) std::atomic<std::uint32_t> epoch_{0};  // one up for every job
  alignas(alignment) std::atomic<std::uint32_t> gate_{0};   // gate_open + number of workers inside
  alignas(alignment) std::atomic<std::int64_t> next_{0};    // first task that nobody took
  alignas(alignment) std::atomic<bool> busy_{false};        // a caller is in; guards all below

  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
  int size_ = 1;
  std::chrono::microseconds spin_{0};
  const Job* job_ = nullptr;  // for those inside the gate
  std::mutex error_mutex_;
  std::int64_t error_task_ = 0;
  std::exception_ptr error_;
};

bool Pool::try_run(const Job& job, int threads) {
  if (busy_.exchange(true, std::memory_order_acquire)) return false;
  if (threads != size_) resize(threads);
  run(job);
  const std::exception_ptr error = std::exchange(error_, nullptr);
  busy_.store(false, std::memory_order_release);
  if (error) std::rethrow_exception(error);
  return true;
}

void Pool::resize(int threads) {
  stop_.store(true, std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();

  size_ = threads;
  stop_.store(false, std::memory_order_relaxed);
  // With more threads than CPUs, one that spins keeps the CPU from one that has work.
  spin_ = threads <= affinity_cpus() ? spin_time : std::chrono::microseconds{0};
  const BlockSignals block;
  const std::uint32_t seen = epoch_.load(std::memory_order_relaxed);
  try {
    threads_.reserve(static_cast<std::size_t>(threads - 1));
    for (int worker = 1; worker < threads; ++worker) {
      threads_.emplace_back([this, worker, seen] { work(worker, seen); });
    }
  } catch (const std::exception&) {
    // The system gives no more threads: those that started do the work.
  }
}

void Pool::run(const Job& job) {
  job_ = &job;
  next_.store(0, std::memory_order_relaxed);
  gate_.store(gate_open, std::memory_order_release);
  wake(job);

  take_tasks(0);

  std::uint32_t inside = gate_.fetch_and(~gate_open, std::memory_order_acq_rel) & ~gate_open;
  while (inside != 0) {
    await_change(gate_, inside, spin_);
    inside = gate_.load(std::memory_order_acquire);
  }
}

// Wakes no more threads than there are portions, unless some of those woken would have to stay out.
void Pool::wake(const Job& job) {
  epoch_.fetch_add(1, std::memory_order_release);
  const std::int64_t wanted = (job.tasks - 1) / job.portion;
  if (wanted >= size_ - 1 || job.limit < size_) {
    epoch_.notify_all();
  } else {
    for (std::int64_t i = 0; i < wanted; ++i) epoch_.notify_one();
  }
}

void Pool::work(int worker, std::uint32_t seen) {
  const FlushDenormals flush;
  while (true) {
    await_change(epoch_, seen, spin_);
    seen = epoch_.load(std::memory_order_acquire);
    if (stop_.load(std::memory_order_relaxed)) return;
    if (enter(worker)) {
      take_tasks(worker);
      leave();
    }
  }
}

bool Pool::enter(int worker) {
  std::uint32_t gate = gate_.load(std::memory_order_relaxed);
  while ((gate & gate_open) != 0) {
    if (gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acquire, std::memory_order_relaxed)) {
      if (worker < job_->limit) return true;
      leave();
      return false;
    }
  }
  return false;
}

void Pool::leave() {
  if (gate_.fetch_sub(1, std::memory_order_release) == 1) gate_.notify_one();
}

void Pool::take_tasks(int worker) {
  const InsideTask inside(worker);
  const Job& job = *job_;
  while (true) {
    const std::int64_t begin = next_.fetch_add(job.portion, std::memory_order_relaxed);
    if (begin >= job.tasks) return;
    const std::int64_t end = std::min(job.tasks, begin + job.portion);
    std::int64_t task = begin;
    try {
      for (; task < end; ++task) job.body(task, worker);
    } catch (...) {
      keep_error(task);
      next_.store(job.tasks, std::memory_order_relaxed);
    }
  }
}

// Portions are taken in order and run to their own first error, so the lowest task that throws has
// always started when a higher one fails: which exception is kept does not depend on timing.
void Pool::keep_error(std::int64_t task) {
  const std::lock_guard lock(error_mutex_);
  if (!error_ || task < error_task_) {
    error_ = std::current_exception();
    error_task_ = task;
  }
}

std::atomic<Pool*> the_pool{nullptr};

// A child of fork() has none of its parent's threads and makes a pool of its own; the parent's is left
// as it lies, since its locks and threads are in an unknown state.
#if defined(FASTCNN_POSIX_THREADS)
[[maybe_unused]] const int fork_handler =
    pthread_atfork(nullptr, nullptr, [] { the_pool.store(nullptr, std::memory_order_relaxed); });
#endif

// Never destroyed: at exit, threads may still be in it.
Pool& pool() {
  Pool* current = the_pool.load(std::memory_order_acquire);
  if (current != nullptr) return *current;
  auto fresh = std::make_unique<Pool>();
  if (!the_pool.compare_exchange_strong(current, fresh.get(), std::memory_order_acq_rel)) return *current;
  return *fresh.release();
}

std::atomic<int> chosen_threads{0};  // by set_num_threads; 0: the default

const ThreadCount& cached_default() {
  static const ThreadCount count = default_num_threads();
  return count;
}

int effective_threads() {
  const int chosen = chosen_threads.load(std::memory_order_relaxed);
  return chosen > 0 ? chosen : cached_default().threads;
}

void run_inline(std::int64_t tasks, int worker, TaskRef body) {
  for (std::int64_t task = 0; task < tasks; ++task) body(task, worker);
}

// On the pool where that pays and it is free, else here.
void run(std::int64_t tasks, std::int64_t ops_per_task, bool worthwhile, TaskRef body) {
  const FlushDenormals flush;
  const int threads = effective_threads();
  if (worthwhile && threads > 1 && thread_limit > 1) {
    const std::int64_t most = ops_per_portion / ops_per_task + 1;
    const std::int64_t even = tasks / (threads * portions_per_thread);
    const std::int64_t portion = std::clamp<std::int64_t>(even, 1, most);
    if (pool().try_run({body, tasks, portion, thread_limit}, threads)) return;
  }
  const InsideTask inside(0);
  run_inline(tasks, 0, body);
}

}  // namespace

ThreadCount num_threads() {
  const int chosen = chosen_threads.load(std::memory_order_relaxed);
  return chosen > 0 ? ThreadCount{chosen, "set_num_threads"} : cached_default();
}

int thread_count() { return effective_threads(); }

void set_num_threads(int threads) {
  if (threads < 1 || threads > max_threads) {
    throw ValueError("number of threads: expected 1 to " + std::to_string(max_threads) + ", got " +
                     std::to_string(threads));
  }
  chosen_threads.store(threads, std::memory_order_relaxed);
}

ThreadLimit::ThreadLimit(int threads)
    : saved_(std::exchange(thread_limit, std::min(threads, thread_limit))) {}

ThreadLimit::~ThreadLimit() { thread_limit = saved_; }

ParallelRecorder::ParallelRecorder() : outer_(std::exchange(recorder, this)) {}

ParallelRecorder::~ParallelRecorder() { recorder = outer_; }

void parallel_for(std::int64_t tasks, std::int64_t ops_per_task, TaskRef body) {
  if (tasks <= 0) return;
  if (current_worker != no_worker) return run_inline(tasks, current_worker, body);
  const bool small = ops_per_task <= (min_parallel_ops - 1) / tasks;  // the product may overflow
  const bool worthwhile = tasks > 1 && !small;
  if (recorder == nullptr) return run(tasks, ops_per_task, worthwhile, body);
  const auto start = std::chrono::steady_clock::now();
  run(tasks, ops_per_task, worthwhile, body);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  recorder->calls_.push_back({tasks, worthwhile, taken.count()});
}

}  // namespace fastcnn
