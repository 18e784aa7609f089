// Flatten is a reshape, too.
#include "ops/reshape.h"

#include "backend/cpu/op_kernel.h"
#include "backend/cpu/ops/copy_reshaped.h"
#include "ops/flatten.h"

namespace fastcnn {
namespace {

class ReshapeKernel final : public Kernel {
 public:
  explicit ReshapeKernel(const KernelRequest& request) : is_backward_(request.pass == Pass::backward) {
    const Spec& x = request.x[0];
    const Spec y = request.op->infer(request.x)[0];
    keeps_storage_ = same_storage(x, y);
    memory_.scratch.shared = reshaping_bytes(x, y);
  }

  Memory memory() const override { return memory_; }
  bool in_place() const override { return keeps_storage_; }

  void run(const StepArgs& args, Stream&) const override {
    std::byte* const between = args.scratch.shared<std::byte>();
    if (!is_backward_) return copy_reshaped(args.x[0], args.y[0], between);
    if (args.dx[0]) copy_reshaped(args.dy[0], args.dx[0], between);
  }

 private:
  bool is_backward_;
  bool keeps_storage_;
  Memory memory_;
};

}  // namespace

KernelPtr make_reshape(const KernelRequest& request) { return std::make_unique<ReshapeKernel>(request); }

KernelPtr make_flatten(const KernelRequest& request) { return std::make_unique<ReshapeKernel>(request); }

}  // namespace fastcnn
