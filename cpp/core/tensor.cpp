#include "core/tensor.h"

namespace fastcnn {

Spec::Spec(Shape extents, DType type, Layout order) : shape(extents), dtype(type), layout(order) {
  if (order == Layout::channels_last && extents.rank() != 4)
    throw ShapeError("channels-last tensors have rank 4, got shape " + extents.str());
}

Shape Spec::storage_shape() const {
  return is_channels_last() ? Shape{shape[0], shape[2], shape[3], shape[1]} : shape;
}

Tensor::Tensor(Spec spec) : spec_(spec), data_(allocate(spec.bytes())) {}

}  // namespace fastcnn
