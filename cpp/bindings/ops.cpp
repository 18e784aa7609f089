// Ops by kind and attributes: a new op needs nothing here.
#include "bindings/convert.h"
#include "ops/registry.h"

namespace fastcnn::bindings {
namespace {

Attribute to_attribute(const std::string& name, py::handle value) {
  if (PyBool_Check(value.ptr())) return value.cast<bool>();
  if (PyFloat_Check(value.ptr())) return value.cast<double>();
  if (PyIndex_Check(value.ptr())) return value.cast<std::int64_t>();
  if (py::isinstance<py::str>(value)) return value.cast<std::string>();
  if (py::isinstance<py::sequence>(value)) {
    std::vector<std::int64_t> integers;
    std::vector<double> reals;
    for (const py::handle item : value) {
      const bool is_integer = PyIndex_Check(item.ptr()) != 0;
      if (!is_integer && !PyFloat_Check(item.ptr()))
        throw DTypeError(name + ": expected numbers, got " + std::string(py::repr(value)));
      if (is_integer) integers.push_back(item.cast<std::int64_t>());
      reals.push_back(item.cast<double>());
    }
    if (integers.size() == reals.size()) return integers;
    return reals;
  }
  throw DTypeError(name + ": expected a number, a string, a bool or a sequence of numbers, got " +
                   std::string(py::repr(value)));
}

}  // namespace

void bind_ops(py::module_& module) {
  py::class_<Op, std::shared_ptr<Op>>(module, "Op")
      .def_property_readonly("kind", [](const Op& op) { return std::string(op.kind()); })
      .def_property_readonly("attributes", [](const Op& op) { return to_dict(op.attributes()); });

  module.def(
      "make_op",
      [](const std::string& kind, const py::kwargs& keywords) {
        Attributes attributes;
        for (const auto& [key, value] : keywords) {
          const auto name = key.cast<std::string>();
          attributes.emplace(name, to_attribute(kind + ": " + name, value));
        }
        // Ops are immutable: every member function is const.
        return std::const_pointer_cast<Op>(make_op(kind, attributes));
      },
      py::arg("kind"), py::pos_only());
  module.def("op_kinds", [] {
    py::list kinds;
    for (const std::string_view kind : op_kinds()) kinds.append(py::str(kind.data(), kind.size()));
    return kinds;
  });
}

}  // namespace fastcnn::bindings
