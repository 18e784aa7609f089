#include "core/worker_pool.h"

#include <algorithm>
#include <utility>

#if defined(__unix__) || defined(__APPLE__)
#include <signal.h>
#define FASTCNN_POSIX_THREADS
#endif

#include "core/cpu_count.h"

namespace fastcnn {
namespace {

// How long a thread looks out for work before it sleeps: longer than the gaps between the steps of a
// network, too short to be felt by other processes.
constexpr std::chrono::microseconds spin_time{50};

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

}  // namespace

bool WorkerPool::try_run(const Job& job, int workers, int threads) {
  if (busy_.exchange(true, std::memory_order_acquire)) return false;
  if (threads != size_) resize(threads);
  run(job, workers);
  const std::exception_ptr error = std::exchange(error_, nullptr);
  if (error) error_task_.store(no_task, std::memory_order_relaxed);
  busy_.store(false, std::memory_order_release);
  if (error) std::rethrow_exception(error);
  return true;
}

void WorkerPool::resize(int threads) {
  stop();
  shares_ = std::make_unique<TaskShare[]>(static_cast<std::size_t>(threads));
  size_ = threads;
  number_ = 0;
  // With more threads than CPUs, one that spins keeps the CPU from one that has work.
  spin_ = threads <= affinity_cpus() ? spin_time : std::chrono::microseconds{0};
  const BlockSignals block;
  try {
    threads_.reserve(static_cast<std::size_t>(threads - 1));
    for (int worker = 1; worker < threads; ++worker) {
      threads_.emplace_back([this, worker] { work(worker); });
    }
  } catch (const std::exception&) {
    // The system gives no more threads: those that started do the work.
  }
}

void WorkerPool::stop() {
  stop_.store(true, std::memory_order_relaxed);
  ++number_;
  for (int worker = 1; worker < size_; ++worker) {
    shares_[worker].give({}, number_, 0, 0);
    shares_[worker].wake();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  stop_.store(false, std::memory_order_relaxed);
}

void WorkerPool::run(const Job& job, int workers) {
  ++number_;
  const std::int64_t portions = job.portions();
  for (int worker = workers - 1; worker >= 0; --worker) {
    shares_[worker].give(job, number_, portions * worker / workers, portions * (worker + 1) / workers);
  }
  for (int worker = 1; worker < workers; ++worker) shares_[worker].wake();
  run_portions(0, number_);
  await_end(portions, workers);
}

void WorkerPool::work(int worker) {
  const FlushDenormals flush;
  std::uint32_t number = 0;
  while (true) {
    number = shares_[worker].await(number, spin_);
    if (stop_.load(std::memory_order_relaxed)) return;
    run_portions(worker, number);
  }
}

void WorkerPool::run_portions(int worker, std::uint32_t number) {
  const InsideTask inside(worker);
  TaskShare& own = shares_[worker];
  std::int64_t done = 0;
  for (std::int64_t portion; (portion = own.take_first(number)) >= 0; ++done) run_portion(own.job(), portion, worker);
  if (done > 0) report(own, done);
  for (int step = 1; step < size_; ++step) {
    TaskShare& other = shares_[(worker + step) % size_];
    for (std::int64_t portion; (portion = other.take_last(number)) >= 0;) {
      run_portion(own.job(), portion, worker);
      report(own, ++done);
    }
  }
}

// Portions below the lowest task that threw still run, to their own first error: which exception is kept does not
// depend on timing.
void WorkerPool::run_portion(const Job& job, std::int64_t portion, int worker) {
  std::int64_t task = portion * job.portion;
  if (task > error_task_.load(std::memory_order_relaxed)) return;
  const std::int64_t end = std::min(job.tasks, task + job.portion);
  try {
    for (; task < end; ++task) job.body(task, worker);
  } catch (...) {
    keep_error(task);
  }
}

void WorkerPool::keep_error(std::int64_t task) {
  const std::lock_guard lock(error_mutex_);
  if (task < error_task_.load(std::memory_order_relaxed)) {
    error_ = std::current_exception();
    error_task_.store(task, std::memory_order_relaxed);
  }
}

// Either this sees that the caller sleeps, or the caller sees what is done before it does.
void WorkerPool::report(TaskShare& share, std::int64_t done) {
  share.set_done(done);
  if (caller_sleeps_.load(std::memory_order_seq_cst) != 0) {
    caller_sleeps_.store(0, std::memory_order_seq_cst);
    caller_sleeps_.notify_one();
  }
}

void WorkerPool::await_end(std::int64_t portions, int workers) {
  const auto ended = [&] {
    std::int64_t done = 0;
    for (int worker = 0; worker < workers; ++worker) done += shares_[worker].done();
    return done == portions;
  };
  if (spin_until(spin_, ended)) return;
  while (true) {
    caller_sleeps_.store(1, std::memory_order_seq_cst);
    if (ended()) break;
    caller_sleeps_.wait(1, std::memory_order_seq_cst);
  }
  caller_sleeps_.store(0, std::memory_order_relaxed);
}

}  // namespace fastcnn
