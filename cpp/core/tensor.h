// Tensors: views that ops work on, and owners that hold parameters.
//
// One storage rule: rank 4 is stored channels-last, so element (n, c, h, w) of shape (N, C, H, W)
// lies at ((n*H + h)*W + w)*C + c; every other rank is stored row-major. Convolution weights of
// shape (c_out, c_in/groups, k_h, k_w) follow the same rule, so their rows read (k_h, k_w, c_in).
#pragma once

#include <memory>

#include "core/allocator.h"
#include "core/dtype.h"
#include "core/shape.h"

namespace fastcnn {

// Shape and element type: all that shape inference and planning know of a tensor.
struct Spec {
  Shape shape;
  DType dtype = DType::float32;

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
  std::shared_ptr<std::byte> data_;
};

}  // namespace fastcnn
