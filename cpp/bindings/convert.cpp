#include "bindings/convert.h"

#include <pybind11/stl.h>

#include <memory>
#include <variant>

namespace fastcnn::bindings {
namespace {

[[noreturn]] void refuse(const py::dtype& dtype) {
  std::string known;
  for (const DType type : all_dtypes) known.append(known.empty() ? "" : ", ").append(name_of(type));
  throw DTypeError("expected an array of " + known + " in native byte order, got " +
                   std::string(py::str(static_cast<const py::handle&>(dtype))));
}

// NumPy has no bfloat16: it is ml_dtypes' or, where `wanted` is that type, the bits as uint16.
DType array_type(const py::dtype& dtype, std::optional<DType> wanted) {
  const char kind = dtype.kind();
  const auto bytes = dtype.itemsize();
  const char order = dtype.byteorder();
  if (order != '=' && order != '|') refuse(dtype);
  if (kind == 'f' && bytes == 4) return DType::float32;
  if (kind == 'f' && bytes == 8) return DType::float64;
  if (kind == 'f' && bytes == 2) return DType::float16;
  if (kind == 'u' && bytes == 1) return DType::uint8;
  if (kind == 'i' && bytes == 1) return DType::int8;
  if (kind == 'i' && bytes == 4) return DType::int32;
  if (kind == 'i' && bytes == 8) return DType::int64;
  if (kind == 'u' && bytes == 2 && wanted == DType::bfloat16) return DType::bfloat16;
  if (bytes == 2 && std::string(py::str(dtype.attr("name"))) == "bfloat16") return DType::bfloat16;
  refuse(dtype);
}

py::dtype bfloat16_dtype() {
  try {
    return py::dtype::from_args(py::module_::import("ml_dtypes").attr("bfloat16"));
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_ImportError)) throw;
    return py::dtype::of<std::uint16_t>();
  }
}

py::dtype numpy_dtype(DType dtype) {
  switch (dtype) {
    case DType::float32: return py::dtype::of<float>();
    case DType::float64: return py::dtype::of<double>();
    case DType::bfloat16: return bfloat16_dtype();
    case DType::float16: return py::dtype("float16");
    case DType::int8: return py::dtype::of<std::int8_t>();
    case DType::uint8: return py::dtype::of<std::uint8_t>();
    case DType::int32: return py::dtype::of<std::int32_t>();
    case DType::int64: break;
  }
  return py::dtype::of<std::int64_t>();
}

py::object to_object(const Attribute& attribute) {
  return std::visit(
      []<class T>(const T& value) -> py::object {
        if constexpr (requires { value.size(); } && !std::is_same_v<T, std::string>)
          return py::tuple(py::cast(value));
        else
          return py::cast(value);
      },
      attribute);
}

}  // namespace

py::dict to_dict(const Attributes& attributes) {
  py::dict dict;
  for (const auto& [name, value] : attributes) dict[py::str(name)] = to_object(value);
  return dict;
}

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
  std::string known;
  for (const DType dtype : all_dtypes) {
    if (name == name_of(dtype)) return dtype;
    known.append(known.empty() ? "" : ", ").append(name_of(dtype));
  }
  throw DTypeError("expected " + known + ", got " + std::string(name));
}

StridedArray to_strided(const py::array& array, std::optional<DType> wanted) {
  StridedArray strided{.data = array.data(), .type = array_type(array.dtype(), wanted), .shape = {}, .strides = {}};
  const auto rank = static_cast<std::size_t>(array.ndim());
  const std::vector<std::int64_t> extents(array.shape(), array.shape() + rank);
  strided.shape = Shape(extents);
  std::copy_n(array.strides(), rank, strided.strides.begin());
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
