// Optimisers: one class of the core for each rule.
#include <pybind11/stl.h>

#include "backend/cpu/backend.h"
#include "bindings/convert.h"
#include "optim/adagrad.h"
#include "optim/adam.h"
#include "optim/rmsprop.h"
#include "optim/sgd.h"

namespace fastcnn::bindings {
namespace {

std::size_t state_index(const Optimizer& optimizer, std::string_view name) {
  const std::vector<std::string_view> names = optimizer.state_names();
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return i;
  throw ValueError("no state \"" + std::string(name) + "\"");
}

// With `configure`, which takes the group and its settings one by one.
template <class O, class Settings, class... Arguments>
void bind_optimizer(py::module_& module, const char* name) {
  py::class_<O, Optimizer>(module, name)
      .def(py::init([](const ParameterGroups& groups) {
             return std::make_unique<O>(groups, cpu_backend());
           }),
           py::arg("groups"))
      .def("configure", [](O& optimizer, std::size_t group, Arguments... arguments) {
        if (group >= optimizer.group_count()) throw py::index_error("no group " + std::to_string(group));
        optimizer.configure(group, Settings{arguments...});
      });
}

}  // namespace

void bind_optim(py::module_& module) {
  py::class_<Optimizer>(module, "Optimizer")
      .def("step", &Optimizer::step, py::call_guard<py::gil_scoped_release>())
      .def("zero_grad", &Optimizer::zero_grad)
      .def("steps", [](Optimizer& optimizer, std::size_t index) { return optimizer.slot(index).steps; },
           py::arg("index"))
      .def("set_steps",
           [](Optimizer& optimizer, std::size_t index, std::int64_t steps) { optimizer.slot(index).steps = steps; },
           py::arg("index"), py::arg("steps"))
      .def("state_bytes", &Optimizer::state_bytes)
      .def_property_readonly("state_names",
                             [](const Optimizer& optimizer) {
                               std::vector<std::string> names;
                               for (const std::string_view name : optimizer.state_names()) names.emplace_back(name);
                               return names;
                             })
      .def(
          "state",
          [](Optimizer& optimizer, std::size_t index, std::string_view name) -> py::object {
            const Tensor& state = optimizer.slot(index).state[state_index(optimizer, name)];
            if (!state) return py::none();
            return view_of(state);
          },
          py::arg("index"), py::arg("name"))
      .def(
          "set_state",
          [](Optimizer& optimizer, std::size_t index, std::string_view name, const std::optional<py::array>& array) {
            Optimizer::Slot& slot = optimizer.slot(index);
            Tensor state;
            if (array) {
              state = Tensor(slot.parameter->value.spec());
              copy_in(to_strided(*array), state.view());
            }
            slot.state[state_index(optimizer, name)] = state;
          },
          py::arg("index"), py::arg("name"), py::arg("array").none(true));
  bind_optimizer<Sgd, SgdSettings, double, double, double, bool, bool, double>(module, "Sgd");
  bind_optimizer<Adam, AdamSettings, double, double, double, double, double, bool, bool>(module, "Adam");
  bind_optimizer<Rmsprop, RmspropSettings, double, double, double, double, double, bool>(module, "Rmsprop");
  bind_optimizer<Adagrad, AdagradSettings, double, double, double, double, double>(module, "Adagrad");
}

}  // namespace fastcnn::bindings
