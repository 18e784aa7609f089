#include "backend/cpu/measure.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

#include "core/allocator.h"
#include "core/ceil_div.h"
#include "core/thread_pool.h"
#include "backend/cpu/kernels.h"

namespace fastcnn {
namespace {

// Amount per second of the quickest of several runs; run() returns the amount.
template <class F>
double best_rate(F&& run) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds enough{200};
  constexpr int min_runs = 3;
  double best = 0;
  const Clock::time_point begin = Clock::now();
  for (int i = 0; i < min_runs || Clock::now() - begin < enough; ++i) {
    const Clock::time_point start = Clock::now();
    const auto amount = static_cast<double>(run());
    best = std::max(best, amount / std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

// Floats that three times fill the last cache, if the system tells its size.
std::int64_t many_floats() {
  std::int64_t cache = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
  cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
#endif
  return std::clamp<std::int64_t>(3 * cache, 64 << 20, 256 << 20) / static_cast<std::int64_t>(sizeof(float));
}

// Calls body(first, count) for pieces of n floats.
template <class F>
void for_pieces(std::int64_t n, F&& body) {
  constexpr std::int64_t piece = 1 << 17;
  parallel_for(ceil_div(n, piece), piece * 4,
               [&](std::int64_t task, int) { body(task * piece, std::min(piece, n - task * piece)); });
}

class Floats {
 public:
  explicit Floats(std::int64_t count) : buffer_(allocate(static_cast<std::size_t>(count) * sizeof(float))) {}
  float* at(std::int64_t i) { return reinterpret_cast<float*>(buffer_.get()) + i; }

 private:
  Buffer buffer_;
};

}  // namespace

double measure_flops(int threads) {
  const ThreadLimit limit(threads);
  constexpr std::int64_t iterations = 20'000;
  const std::int64_t tasks = 16 * std::min(threads, thread_count());
  return best_rate([&] {
    std::atomic<std::int64_t> operations = 0;
    parallel_for(tasks, 1 << 20, [&](std::int64_t, int) { operations += kernels<float>().fma_peak(iterations); });
    return operations.load();
  });
}

double measure_read_bandwidth(int threads) {
  const ThreadLimit limit(threads);
  const std::int64_t n = many_floats();
  Floats a(n), b(n);
  std::atomic<float> used = 0;
  return best_rate([&] {
    for_pieces(n, [&](std::int64_t i, std::int64_t count) {
      used.store(kernels<float>().squared_distance(a.at(i), b.at(i), count), std::memory_order_relaxed);
    });
    return 2 * n * static_cast<std::int64_t>(sizeof(float));
  });
}

double measure_add_bandwidth(int threads) {
  const ThreadLimit limit(threads);
  const std::int64_t n = many_floats();
  Floats a(n), b(n), c(n);
  return best_rate([&] {
    for_pieces(n, [&](std::int64_t i, std::int64_t count) { kernels<float>().add(a.at(i), b.at(i), c.at(i), count); });
    return 3 * n * static_cast<std::int64_t>(sizeof(float));
  });
}

}  // namespace fastcnn
