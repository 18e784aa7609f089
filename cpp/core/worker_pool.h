// The threads behind parallel_for: fork and join of one job at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/task_share.h"

namespace fastcnn {

// Says that this thread runs tasks as this worker, for its lifetime.
class InsideTask {
 public:
  static constexpr int none = -1;

  explicit InsideTask(int worker) { worker_ = worker; }
  ~InsideTask() { worker_ = none; }
  InsideTask(const InsideTask&) = delete;
  InsideTask& operator=(const InsideTask&) = delete;

  static int worker() { return worker_; }

 private:
  inline static thread_local int worker_ = none;
};

// A job is cut into one share of consecutive portions per worker; who is done with its own helps the others. A worker
// that the system has not scheduled yet is never waited for: others run its share.
class WorkerPool {
 public:
  WorkerPool() = default;
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Runs the job on the first `workers` of `threads` threads, this one among them; it has no fewer portions than
  // workers, and at most TaskShare::max_portions. Rethrows the exception of the lowest task that throws. False when another caller is in.
  bool try_run(const Job& job, int workers, int threads);

 private:
  void resize(int threads);
  void stop();
  void run(const Job& job, int workers);
  void work(int worker);
  void run_portions(int worker, std::uint32_t number);
  void run_portion(const Job& job, std::int64_t portion, int worker);
  void report(TaskShare& share, std::int64_t done);
  void await_end(std::int64_t portions, int workers);
  void keep_error(std::int64_t task);

  static constexpr std::int64_t no_task = std::numeric_limits<std::int64_t>::max();

  std::unique_ptr<TaskShare[]> shares_;  // one per thread
  alignas(alignment) std::atomic<std::uint32_t> caller_sleeps_{0};
  std::atomic<std::int64_t> error_task_{no_task};  // the lowest that threw in this job

  alignas(alignment) std::atomic<bool> busy_{false};  // a caller is in; guards all below
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
  int size_ = 0;
  std::uint32_t number_ = 0;  // of the latest job
  std::chrono::microseconds spin_{0};
  std::mutex error_mutex_;
  std::exception_ptr error_;
};

}  // namespace fastcnn
