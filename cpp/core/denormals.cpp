#include "core/thread_pool.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace fastcnn {
namespace {

#if defined(__SSE2__)
constexpr std::uint64_t flush_bits = 0x8040;  // MXCSR: flush to zero, denormals are zero

std::uint64_t control() { return _mm_getcsr(); }
void set_control(std::uint64_t bits) { _mm_setcsr(static_cast<unsigned>(bits)); }
#elif defined(__aarch64__)
constexpr std::uint64_t flush_bits = std::uint64_t{1} << 24;  // FPCR.FZ: inputs and results

std::uint64_t control() {
  std::uint64_t bits;
  asm volatile("mrs %0, fpcr" : "=r"(bits));
  return bits;
}
void set_control(std::uint64_t bits) { asm volatile("msr fpcr, %0" : : "r"(bits)); }
#else
constexpr std::uint64_t flush_bits = 0;

std::uint64_t control() { return 0; }
void set_control(std::uint64_t) {}
#endif

}  // namespace

// Writing the register drains the pipeline, so it is left alone where nothing changes.
FlushDenormals::FlushDenormals() : saved_(control()) {
  if ((saved_ & flush_bits) != flush_bits) set_control(saved_ | flush_bits);
}

FlushDenormals::~FlushDenormals() {
  if ((saved_ & flush_bits) != flush_bits) set_control(saved_);
}

}  // namespace fastcnn
