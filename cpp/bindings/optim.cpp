#include "bindings/optim.h"

#include <pybind11/stl.h>

#include "bindings/convert.h"

namespace fastcnn::bindings {
namespace {

SgdSlot& slot(Sgd& sgd, std::size_t index) {
  if (index >= sgd.slots.size()) throw py::index_error("no parameter " + std::to_string(index));
  return sgd.slots[index];
}

}  // namespace

void bind_optim(py::module_& module) {
  py::class_<Sgd>(module, "Sgd")
      .def(py::init([](const std::vector<std::vector<ParameterPtr>>& groups) {
             auto sgd = std::make_unique<Sgd>();
             for (std::size_t group = 0; group < groups.size(); ++group) {
               for (const ParameterPtr& parameter : groups[group]) {
                 sgd->slots.push_back({parameter, Tensor(), static_cast<int>(group)});
               }
             }
             sgd->groups.resize(groups.size());
             return sgd;
           }),
           py::arg("groups"))
      .def(
          "configure",
          [](Sgd& sgd, std::size_t group, double lr, double momentum, double weight_decay, bool nesterov,
             bool lr_in_velocity, double filter_norm) {
            if (group >= sgd.groups.size()) throw py::index_error("no group " + std::to_string(group));
            sgd.groups[group] = {lr, momentum, weight_decay, nesterov, lr_in_velocity, filter_norm};
          },
          py::arg("group"), py::arg("lr"), py::arg("momentum"), py::arg("weight_decay"), py::arg("nesterov"),
          py::arg("lr_in_velocity"), py::arg("filter_norm"))
      .def("step", [](Sgd& sgd) { sgd_step(sgd.slots, sgd.groups); }, py::call_guard<py::gil_scoped_release>())
      .def("zero_grad",
           [](Sgd& sgd) {
             for (const SgdSlot& slot : sgd.slots) slot.parameter->has_grad = false;
           })
      .def(
          "velocity",
          [](Sgd& sgd, std::size_t index) -> py::object {
            const Tensor& velocity = slot(sgd, index).velocity;
            if (!velocity) return py::none();
            return view_of(velocity);
          },
          py::arg("index"))
      .def(
          "set_velocity",
          [](Sgd& sgd, std::size_t index, const std::optional<py::array>& array) {
            SgdSlot& target = slot(sgd, index);
            Tensor velocity;
            if (array) {
              velocity = Tensor(target.parameter->value.spec());
              copy_in(to_strided(*array), velocity.view());
            }
            target.velocity = velocity;
          },
          py::arg("index"), py::arg("array").none(true));
}

}  // namespace fastcnn::bindings
