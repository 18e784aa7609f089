#include "core/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <memory>
#include <utility>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define FASTCNN_POSIX_THREADS
#endif

#include "core/error.h"
#include "core/worker_pool.h"

namespace fastcnn {
namespace {

// A thread joins in for no less than this many operations: about as long as cache lines take to pass between it and
// the caller, distant cores included.
constexpr std::int64_t ops_per_worker = 40'000;
// Threads take tasks in portions of about this many operations...
constexpr std::int64_t ops_per_portion = 20'000;
// ...but leave at least so many portions per thread, which even out what the tasks differ by.
constexpr std::int64_t portions_per_worker = 8;

thread_local int thread_limit = max_threads;

thread_local ParallelRecorder* recorder = nullptr;

std::atomic<WorkerPool*> the_pool{nullptr};

// A child of fork() has none of its parent's threads and makes a pool of its own; the parent's is left
// as it lies, since its locks and threads are in an unknown state.
#if defined(FASTCNN_POSIX_THREADS)
[[maybe_unused]] const int fork_handler =
    pthread_atfork(nullptr, nullptr, [] { the_pool.store(nullptr, std::memory_order_relaxed); });
#endif

// Never destroyed: at exit, threads may still be in it.
WorkerPool& pool() {
  WorkerPool* current = the_pool.load(std::memory_order_acquire);
  if (current != nullptr) return *current;
  auto fresh = std::make_unique<WorkerPool>();
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

// The operations of so many tasks, or the largest number.
std::int64_t total_ops(std::int64_t tasks, std::int64_t ops_per_task) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  return ops_per_task > most / tasks ? most : tasks * ops_per_task;
}

// On as many threads as pay, if the pool is free, else here.
void run(std::int64_t tasks, std::int64_t ops_per_task, std::int64_t useful_workers, TaskRef body) {
  const FlushDenormals flush;
  const int threads = effective_threads();
  const std::int64_t workers = std::min<std::int64_t>({useful_workers, threads, thread_limit});
  if (workers > 1) {
    const std::int64_t least = tasks / TaskShare::max_portions + 1;
    const std::int64_t most = std::max(least, ops_per_portion / std::max<std::int64_t>(1, ops_per_task) + 1);
    const std::int64_t portion = std::clamp(tasks / (workers * portions_per_worker), least, most);
    if (pool().try_run({body, tasks, portion}, static_cast<int>(workers), threads)) return;
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
  if (InsideTask::worker() != InsideTask::none) return run_inline(tasks, InsideTask::worker(), body);
  const std::int64_t useful_workers = std::min(tasks, total_ops(tasks, ops_per_task) / ops_per_worker);
  if (recorder == nullptr) return run(tasks, ops_per_task, useful_workers, body);
  const auto start = std::chrono::steady_clock::now();
  run(tasks, ops_per_task, useful_workers, body);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  recorder->calls_.push_back({tasks, useful_workers > 1, taken.count()});
}

}  // namespace fastcnn
