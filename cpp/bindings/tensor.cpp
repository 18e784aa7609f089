// Parameters: what training changes.
#include "bindings/convert.h"
#include "core/random.h"
#include "core/parameter.h"

namespace fastcnn::bindings {
namespace {

// A view that says when it is gone: until then the value may change at any time.
py::array writable_value(const ParameterPtr& parameter) {
  auto owner = std::make_unique<ParameterPtr>(parameter);
  const py::capsule base(owner.get(), [](void* p) {
    const std::unique_ptr<ParameterPtr> held(static_cast<ParameterPtr*>(p));
    ++(*held)->version;
    --(*held)->writers;
  });
  owner.release();
  ++parameter->writers;
  return view_of(parameter->value, base);
}

}  // namespace

void bind_tensor(py::module_& module) {
  py::class_<Parameter, ParameterPtr>(module, "Parameter")
      .def(py::init([](const py::sequence& shape, std::string_view dtype) {
             const Spec spec{to_shape(shape), to_dtype(dtype)};
             auto parameter = std::make_shared<Parameter>(spec);
             parameter->requires_grad = is_floating(spec.dtype);
             return parameter;
           }),
           py::arg("shape"), py::arg("dtype") = "float32")
      .def_property_readonly("shape", [](const Parameter& p) { return to_tuple(p.value.spec().shape); })
      .def_property_readonly("dtype", [](const Parameter& p) { return name_of(p.value.spec().dtype); })
      .def_property_readonly("value", writable_value)
      .def_property_readonly("grad",
                             [](const Parameter& p) -> py::object {
                               if (!p.has_grad) return py::none();
                               return view_of(p.grad);
                             })
      .def_readonly("has_grad", &Parameter::has_grad)
      .def_readwrite("requires_grad", &Parameter::requires_grad)
      .def("zero_grad", [](Parameter& p) { p.has_grad = false; })
      .def(
          "fill_uniform",
          [](Parameter& p, std::uint64_t seed, std::uint64_t stream, double low, double high) {
            fill_uniform(p.value.view(), seed, stream, low, high);
            ++p.version;
          },
          py::arg("seed"), py::arg("stream"), py::arg("low"), py::arg("high"),
          py::call_guard<py::gil_scoped_release>())
      .def(
          "fill_normal",
          [](Parameter& p, std::uint64_t seed, std::uint64_t stream, double mean, double std) {
            fill_normal(p.value.view(), seed, stream, mean, std);
            ++p.version;
          },
          py::arg("seed"), py::arg("stream"), py::arg("mean"), py::arg("std"),
          py::call_guard<py::gil_scoped_release>());
}

}  // namespace fastcnn::bindings
