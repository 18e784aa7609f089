// Waiting for another thread that is about to be done.
#pragma once

#include <chrono>

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

// Looks for at most `spin` whether there() holds, and says so.
template <class F>
bool spin_until(std::chrono::microseconds spin, F there) {
  if (spin.count() == 0) return there();
  const auto deadline = std::chrono::steady_clock::now() + spin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (there()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return false;
}

}  // namespace fastcnn
