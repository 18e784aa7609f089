// What this machine can do at best, measured now: the ceilings that times of steps are compared with.
// All of them: with float32 kernels of the active ISA, on `threads` threads, at most num_threads();
// the best of several runs, per second.
#pragma once

namespace fastcnn {

// Floating-point operations, of multiply-adds in registers.
double measure_flops(int threads);
// Bytes read from memory that no cache holds.
double measure_read_bandwidth(int threads);
// Bytes read and written by c = a + b in such memory.
double measure_add_bandwidth(int threads);

}  // namespace fastcnn
