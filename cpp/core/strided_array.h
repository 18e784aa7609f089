// The door: strided arrays of the caller (NCHW and OIHW as PyTorch and ONNX have them, any strides,
// any element type) to and from the storage order of a tensor.
#pragma once

#include <array>
#include <cstdint>

#include "core/tensor.h"

namespace fastcnn {

// A caller's array: shape as logical extents; strides in bytes, may be negative or 0, and need not
// keep elements aligned.
struct StridedArray {
  const void* data = nullptr;
  DType type = DType::float32;
  Shape shape;
  std::array<std::int64_t, Shape::max_rank> strides{};
};

// Converts by value: uint8 200 becomes 200.0f; integers beyond the range of narrower ones become its end. Throws
// ShapeError when the shapes differ, DTypeError when numbers with fractions would become integers.
void copy_in(const StridedArray& source, View destination);

// Writes row-major logical order (NCHW) of the same element type to `destination`, which is aligned
// for it.
void copy_out(ConstView source, void* destination);

// Byte strides under which the logical axes of a stored tensor are read.
std::array<std::int64_t, Shape::max_rank> storage_strides(const Spec& spec);

}  // namespace fastcnn
