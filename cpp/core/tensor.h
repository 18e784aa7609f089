// Tensors: views that kernels work on, and owners that hold parameters.
#pragma once

#include "core/allocator.h"
#include "core/dtype.h"
#include "core/layout.h"
#include "core/shape.h"

namespace fastcnn {

// Shape, element type and storage order: all that shape inference and planning know of a tensor.
struct Spec {
  Shape shape;
  DType dtype = DType::float32;
  Layout layout = Layout::row_major;

  Spec() = default;
  Spec(Shape extents, DType type = DType::float32) : Spec(extents, type, default_layout(extents.rank())) {}
  // Throws ShapeError for channels-last tensors of another rank than 4.
  Spec(Shape extents, DType type, Layout order);

  bool is_channels_last() const { return layout == Layout::channels_last; }
  // Extents from the outermost to the innermost in memory.
  Shape storage_shape() const;
  std::size_t bytes() const { return static_cast<std::size_t>(shape.numel()) * size_of(dtype); }
  bool operator==(const Spec&) const = default;
};

struct ConstView {
  const void* data = nullptr;
  Spec spec;

  explicit operator bool() const { return data != nullptr; }
  template <class T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
};

struct View {
  void* data = nullptr;
  Spec spec;

  explicit operator bool() const { return data != nullptr; }
  operator ConstView() const { return {data, spec}; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

// Shared owner of one contiguous buffer. Copies refer to the same memory.
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Spec spec);  // zeros

  const Spec& spec() const { return spec_; }
  void* data() const { return data_.get(); }
  View view() const { return {data_.get(), spec_}; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  Spec spec_;
  Buffer data_;
};

}  // namespace fastcnn
