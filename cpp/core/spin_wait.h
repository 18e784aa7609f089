// Waiting for another thread that is about to be done.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace fastcnn {

// Tells the CPU that this thread is only looking.
inline void relax() {
#if defined(__SSE2__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Returns once `word` is no longer `old`, which whoever changes it must notify: looks for `spin`, then
// sleeps.
inline void await_change(const std::atomic<std::uint32_t>& word, std::uint32_t old,
                         std::chrono::microseconds spin) {
  if (spin.count() > 0) {
    const auto deadline = std::chrono::steady_clock::now() + spin;
    do {
      for (int i = 0; i < 32; ++i) {
        if (word.load(std::memory_order_acquire) != old) return;
        relax();
      }
    } while (std::chrono::steady_clock::now() < deadline);
  }
  word.wait(old, std::memory_order_acquire);
}

}  // namespace fastcnn
