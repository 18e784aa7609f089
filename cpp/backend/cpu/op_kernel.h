// How the kernels of ops are made. An op with one way to compute it gives a function for each pass; one that has more to
// decide, such as a convolution, derives from Kernel itself.
#pragma once

#include <memory>

#include "backend/cpu/policy.h"
#include "graph/kernel.h"
#include "ops/op.h"

namespace fastcnn {

struct KernelRequest {
  const OpPtr& op;
  Pass pass;
  Specs x;
  const Policy& policy;

  template <class O>
  const O& as() const {
    return static_cast<const O&>(*op);
  }
};

using KernelPtr = std::unique_ptr<Kernel>;
using KernelMaker = KernelPtr(const KernelRequest&);

template <class O>
struct OpFunctions {
  void (*forward)(const O& op, const StepArgs& args);
  void (*backward)(const O& op, const StepArgs& args);
  void (*recompute)(const O& op, const StepArgs& args) = forward;
  ScratchSize (*scratch)(const O& op, Specs x, Pass pass) = [](const O&, Specs, Pass) { return ScratchSize{}; };
  bool in_place = false;          // Kernel::in_place, of every pass
  bool reads_statistics = false;  // Kernel::reads_statistics
};

template <class O>
class FunctionKernel final : public Kernel {
 public:
  FunctionKernel(const KernelRequest& request, const OpFunctions<O>& functions)
      : op_(std::static_pointer_cast<const O>(request.op)),
        functions_(functions),
        run_(request.pass == Pass::backward    ? functions.backward
             : request.pass == Pass::recompute ? functions.recompute
                                               : functions.forward),
        memory_{.scratch = functions.scratch(*op_, request.x, request.pass)} {}

  Memory memory() const override { return memory_; }
  bool in_place() const override { return functions_.in_place; }
  bool reads_statistics() const override { return functions_.reads_statistics; }
  void run(const StepArgs& args, Stream&) const override { run_(*op_, args); }

 private:
  std::shared_ptr<const O> op_;
  OpFunctions<O> functions_;
  void (*run_)(const O&, const StepArgs&);
  Memory memory_;
};

template <class O>
KernelPtr make_kernel(const KernelRequest& request, const OpFunctions<O>& functions) {
  return std::make_unique<FunctionKernel<O>>(request, functions);
}

}  // namespace fastcnn
