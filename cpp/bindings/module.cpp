// fastcnn._core: the compiled core as Python sees it. Each file of this folder converts, releases the
// GIL, and does nothing else.
#include "bindings/convert.h"
#include "core/error.h"

namespace fastcnn::bindings {
namespace {

void bind_errors(py::module_& module) {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object> shape_error;
  shape_error.call_once_and_store_result([&] {
    py::object type = py::exception<ShapeError>(module, "ShapeError", PyExc_ValueError);
    type.attr("__module__") = "fastcnn";
    type.attr("__doc__") = "Extents that don't fit together; the message names the layer.";
    return type;
  });
  py::register_exception_translator([](std::exception_ptr exception) {
    try {
      if (exception) std::rethrow_exception(exception);
    } catch (const ShapeError& error) {
      py::set_error(shape_error.get_stored(), error.what());
    } catch (const ValueError& error) {
      py::set_error(PyExc_ValueError, error.what());
    } catch (const DTypeError& error) {
      py::set_error(PyExc_TypeError, error.what());
    } catch (const Error& error) {
      py::set_error(PyExc_RuntimeError, error.what());
    }
  });
}

}  // namespace
}  // namespace fastcnn::bindings

PYBIND11_MODULE(_core, module) {
  module.doc() = "The compiled core of fastcnn.";
  fastcnn::bindings::bind_errors(module);
  fastcnn::bindings::bind_tensor(module);
  fastcnn::bindings::bind_ops(module);
  fastcnn::bindings::bind_optim(module);
  fastcnn::bindings::bind_graph(module);
  fastcnn::bindings::bind_runtime(module);
}
