#include "ops/flatten.h"
#include "ops/reshape.h"

namespace fastcnn {

void Flatten::forward(const ForwardArgs& args) const { copy_reshaped(args.x[0], args.y, nullptr); }

void Flatten::backward(const BackwardArgs& args) const {
  if (args.dx[0]) copy_reshaped(args.dy, args.dx[0], nullptr);
}

}  // namespace fastcnn
