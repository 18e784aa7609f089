// What ops with weights do for a batch of no samples: nothing forward, and gradients of zeros.
#pragma once

#include <cstring>

#include "backend/cpu/op_kernel.h"

namespace fastcnn {

class EmptyBatch final : public Kernel {
 public:
  void run(const StepArgs& args, Stream&) const override {
    for (const View& dx : args.dx)
      if (dx) std::memset(dx.data, 0, dx.spec.bytes());
  }
};

inline KernelPtr make_empty_batch() { return std::make_unique<EmptyBatch>(); }

}  // namespace fastcnn
