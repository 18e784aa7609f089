// Between Python's objects and the core's, and nothing else. All of it needs the GIL.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/strided_array.h"
#include "core/tensor.h"
#include "ops/attributes.h"

namespace fastcnn::bindings {

namespace py = pybind11;

py::tuple to_tuple(const Shape& shape);
Shape to_shape(const py::sequence& extents);
// Throws DTypeError for a name that no element type has.
DType to_dtype(std::string_view name);

// Refers to the array's memory, so the array must outlive it. `wanted`: what it will become. Throws DTypeError for
// element types that the core doesn't read.
StridedArray to_strided(const py::array& array, std::optional<DType> wanted = {});

py::dict to_dict(const Attributes& attributes);

// C-contiguous, of that shape and type, not initialised.
py::array new_array(const Spec& spec);
// A writable view of the tensor's memory in logical axes; it keeps the memory alive.
py::array view_of(const Tensor& tensor);
py::array view_of(const Tensor& tensor, const py::handle& base);

// One function per file of this folder.
void bind_tensor(py::module_& module);
void bind_ops(py::module_& module);
void bind_optim(py::module_& module);
void bind_graph(py::module_& module);
void bind_runtime(py::module_& module);

}  // namespace fastcnn::bindings
