#include "bindings/convert.h"

#include <memory>

namespace fastcnn::bindings {
namespace {

ArrayType array_type(const py::dtype& dtype) {
  const char kind = dtype.kind();
  const auto bytes = dtype.itemsize();
  const char order = dtype.byteorder();
  if (order == '=' || order == '|') {
    if (kind == 'f' && bytes == 4) return ArrayType::float32;
    if (kind == 'f' && bytes == 8) return ArrayType::float64;
    if (kind == 'u' && bytes == 1) return ArrayType::uint8;
    if (kind == 'i' && bytes == 4) return ArrayType::int32;
    if (kind == 'i' && bytes == 8) return ArrayType::int64;
  }
  throw DTypeError("expected an array of float32, float64, uint8, int32 or int64 in native byte order, got " +
                   std::string(py::str(static_cast<const py::handle&>(dtype))));
}

py::dtype numpy_dtype(DType dtype) {
  switch (dtype) {
    case DType::float32: return py::dtype::of<float>();
    case DType::float64: return py::dtype::of<double>();
    case DType::int64: break;
  }
  return py::dtype::of<std::int64_t>();
}

}  // namespace

py::tuple to_tuple(const Shape& shape) {
  py::tuple extents(static_cast<std::size_t>(shape.rank()));
  for (int i = 0; i < shape.rank(); ++i) extents[static_cast<std::size_t>(i)] = shape[i];
  return extents;
}

Shape to_shape(const py::sequence& extents) {
  std::vector<std::int64_t> values;
  for (const py::handle extent : extents) values.push_back(extent.cast<std::int64_t>());
  return Shape(values);
}

DType to_dtype(std::string_view name) {
  for (const DType dtype : {DType::float32, DType::float64, DType::int64}) {
    if (name == name_of(dtype)) return dtype;
  }
  throw DTypeError("expected float32, float64 or int64, got " + std::string(name));
}

StridedArray to_strided(const py::array& array) {
  StridedArray strided{.data = array.data(), .type = array_type(array.dtype()), .shape = {}, .strides = {}};
  const auto rank = static_cast<std::size_t>(array.ndim());
  const std::vector<std::int64_t> extents(array.shape(), array.shape() + rank);
  strided.shape = Shape(extents);
  std::copy_n(array.strides(), rank, strided.strides.begin());
  return strided;
}

std::vector<StridedArray> to_strided(const std::vector<py::array>& arrays) {
  std::vector<StridedArray> strided;
  for (const py::array& array : arrays) strided.push_back(to_strided(array));
  return strided;
}

py::array new_array(const Spec& spec) {
  return py::array(numpy_dtype(spec.dtype), std::vector<py::ssize_t>(spec.shape.begin(), spec.shape.end()));
}

py::array view_of(const Tensor& tensor) {
  auto owner = std::make_unique<Tensor>(tensor);
  const py::capsule base(owner.get(), [](void* p) { delete static_cast<Tensor*>(p); });
  owner.release();
  return view_of(tensor, base);
}

py::array view_of(const Tensor& tensor, const py::handle& base) {
  const Spec& spec = tensor.spec();
  const auto strides = storage_strides(spec);
  return py::array(numpy_dtype(spec.dtype), std::vector<py::ssize_t>(spec.shape.begin(), spec.shape.end()),
                   std::vector<py::ssize_t>(strides.begin(), strides.begin() + spec.shape.rank()), tensor.data(),
                   base);
}

}  // namespace fastcnn::bindings
