#include "core/tensor.h"

namespace fastcnn {

Tensor::Tensor(Spec spec) : spec_(spec) {
  Buffer buffer = allocate(spec.bytes());
  data_ = std::shared_ptr<std::byte>(buffer.release(), AlignedDelete{});
}

}  // namespace fastcnn
