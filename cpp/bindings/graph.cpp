// Graph, Plan and Executor. Arrays are looked at and made with the GIL held; all copying and computing is
// done without.
#include <pybind11/stl.h>

#include "backend/cpu/backend.h"
#include "bindings/convert.h"
#include "graph/executor.h"
#include "graph/train_step.h"
#include "optim/optimizer.h"

namespace fastcnn::bindings {
namespace {

Mode to_mode(bool training) { return training ? Mode::training : Mode::inference; }

py::list shapes_of(const Graph& graph, const std::vector<ValueId>& values) {
  py::list shapes;
  for (const ValueId v : values) shapes.append(to_tuple(graph.spec(v).shape));
  return shapes;
}

py::list describe_nodes(const Graph& graph) {
  py::list nodes;
  for (const Node& node : graph.nodes()) {
    const std::vector<Spec> x = graph.input_specs(node);
    py::list parameters;
    for (const ValueId v : node.inputs) {
      if (v == no_value || graph.values()[static_cast<std::size_t>(v)].kind != Value::Kind::parameter) continue;
      const auto index = static_cast<std::size_t>(graph.values()[static_cast<std::size_t>(v)].index);
      parameters.append(graph.parameters()[index].parameter);
    }
    py::dict entry;
    entry["name"] = node.name();
    entry["layers"] = node.layers;
    entry["kind"] = std::string(node.op->kind());
    entry["attributes"] = to_dict(node.op->attributes());
    entry["inputs"] = node.inputs;
    entry["outputs"] = node.outputs;
    entry["description"] = node.op->describe(x);
    entry["output_shape"] = to_tuple(graph.spec(node.outputs[0]).shape);
    entry["output_shapes"] = shapes_of(graph, node.outputs);
    entry["parameters"] = parameters;
    entry["macs"] = node.op->macs(x);
    nodes.append(entry);
  }
  return nodes;
}

const char* name_of_kind(Value::Kind kind) {
  switch (kind) {
    case Value::Kind::input: return "input";
    case Value::Kind::parameter: return "parameter";
    case Value::Kind::node: break;
  }
  return "node";
}

py::list describe_values(const Graph& graph) {
  py::list values;
  for (std::size_t v = 0; v < graph.values().size(); ++v) {
    const Value& value = graph.values()[v];
    py::dict entry;
    entry["kind"] = name_of_kind(value.kind);
    entry["index"] = value.index;
    entry["output"] = value.output;
    entry["name"] = value.kind == Value::Kind::input       ? graph.inputs()[static_cast<std::size_t>(value.index)].name
                    : value.kind == Value::Kind::parameter ? graph.parameters()[static_cast<std::size_t>(value.index)].name
                                                           : graph.producer(static_cast<ValueId>(v));
    entry["shape"] = to_tuple(value.spec.shape);
    entry["dtype"] = name_of(value.spec.dtype);
    entry["channels_last"] = value.spec.is_channels_last();
    values.append(entry);
  }
  return values;
}

template <class Items>
std::vector<ValueId> values_of(const Items& items) {
  std::vector<ValueId> values;
  for (const auto& item : items) values.push_back(item.value);
  return values;
}

py::list describe_algorithms(const Step& step) {
  py::list list;
  if (step.kernel == nullptr) return list;
  for (const AlgorithmChoice& choice : step.kernel->algorithms()) {
    py::dict entry;
    entry["pass"] = choice.part;
    entry["name"] = choice.name;
    entry["passed_over"] = choice.passed_over;
    list.append(entry);
  }
  return list;
}

py::list output_specs(const Plan& plan) {
  py::list list;
  for (const Place& place : plan.outputs()) {
    list.append(py::make_tuple(to_tuple(place.spec.shape), name_of(place.spec.dtype)));
  }
  return list;
}

std::size_t output_bytes(const Plan& plan) {
  std::size_t bytes = 0;
  for (const Place& place : plan.outputs()) bytes += place.spec.bytes();
  return bytes;
}

py::list describe_steps(const Plan& plan) {
  py::list list;
  for (const auto* steps : {&plan.forward_steps(), &plan.backward_steps()}) {
    for (const Step& step : *steps) {
      const StepCost cost = plan.cost(step);
      py::dict entry;
      entry["name"] = plan.step_name(step);
      entry["node"] = step.node;
      entry["phase"] = steps == &plan.forward_steps() ? "forward" : "backward";
      entry["dtype"] = name_of((step.kind == Step::Kind::backward ? step.dy : step.y)[0].spec.dtype);
      entry["layers"] = step.node < 0 ? std::vector<std::string>()
                                      : plan.graph().nodes()[static_cast<std::size_t>(step.node)].layers;
      entry["algorithms"] = describe_algorithms(step);
      entry["operations"] = cost.operations;
      entry["bytes"] = cost.bytes;
      list.append(entry);
    }
  }
  return list;
}

// Per step: (tasks, worthwhile, seconds) of each call of parallel_for.
py::list step_calls(const Executor& executor) {
  py::list steps;
  for (const std::vector<ParallelCall>& calls : executor.step_calls()) {
    py::list entries;
    for (const ParallelCall& call : calls) entries.append(py::make_tuple(call.tasks, call.worthwhile, call.seconds));
    steps.append(entries);
  }
  return steps;
}

// The outputs of a run, made before it so that it runs without the GIL.
class Outputs {
 public:
  explicit Outputs(const Executor& executor) : executor_(executor) {
    for (const Place& place : executor.plan().outputs()) {
      arrays_.push_back(new_array(place.spec));
      memory_.push_back(arrays_.back().mutable_data());
    }
  }
  void copy() {
    for (std::size_t i = 0; i < memory_.size(); ++i) copy_out(executor_.output(static_cast<int>(i)), memory_[i]);
  }
  std::vector<py::array> take() { return std::move(arrays_); }

 private:
  const Executor& executor_;
  std::vector<py::array> arrays_;
  std::vector<void*> memory_;
};

std::vector<StridedArray> to_strided_inputs(const Executor& executor, const std::vector<py::array>& inputs) {
  const std::vector<Place>& places = executor.plan().inputs();
  std::vector<StridedArray> strided;
  for (std::size_t i = 0; i < inputs.size(); ++i)
    strided.push_back(to_strided(inputs[i], i < places.size() ? std::optional(places[i].spec.dtype) : std::nullopt));
  return strided;
}

void set_inputs(Executor& executor, const std::vector<StridedArray>& inputs) {
  const std::size_t expected = executor.plan().inputs().size();
  if (inputs.size() != expected) {
    throw ValueError("got " + std::to_string(inputs.size()) + " inputs, expected " + std::to_string(expected));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) executor.set_input(static_cast<int>(i), inputs[i]);
}

std::vector<py::array> run(Executor& executor, const std::vector<py::array>& inputs, std::uint64_t seed,
                           std::uint64_t step) {
  const std::vector<StridedArray> strided = to_strided_inputs(executor, inputs);
  Outputs outputs(executor);
  {
    const py::gil_scoped_release release;
    set_inputs(executor, strided);
    executor.forward({seed, step});
    outputs.copy();
  }
  return outputs.take();
}

std::vector<py::array> run_train_step(Executor& executor, const std::vector<py::array>& inputs, Optimizer& optimizer,
                                      std::uint64_t seed, std::uint64_t step) {
  const std::vector<StridedArray> strided = to_strided_inputs(executor, inputs);
  Outputs outputs(executor);
  {
    const py::gil_scoped_release release;
    set_inputs(executor, strided);
    train_step(executor, optimizer, {seed, step});
    outputs.copy();
  }
  return outputs.take();
}

// `gradients` has one array per seeded output, in order; returns one per input that asks, in order.
std::vector<py::array> run_backward(Executor& executor, const std::vector<py::array>& gradients) {
  const Graph& graph = executor.plan().graph();
  std::vector<View> seeds;
  for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
    if (graph.outputs()[i].seeded) seeds.push_back(executor.output_grad(static_cast<int>(i)));
  }
  if (gradients.size() != seeds.size()) {
    throw ValueError("got " + std::to_string(gradients.size()) + " output gradients, expected " +
                     std::to_string(seeds.size()));
  }
  std::vector<int> wanted;
  std::vector<py::array> results;
  std::vector<void*> memory;
  for (std::size_t i = 0; i < graph.inputs().size(); ++i) {
    if (!graph.inputs()[i].requires_grad) continue;
    wanted.push_back(static_cast<int>(i));
    results.push_back(new_array(graph.spec(graph.inputs()[i].value)));
    memory.push_back(results.back().mutable_data());
  }
  std::vector<StridedArray> strided;
  for (std::size_t i = 0; i < seeds.size(); ++i) strided.push_back(to_strided(gradients[i], seeds[i].spec.dtype));
  {
    const py::gil_scoped_release release;
    for (std::size_t i = 0; i < seeds.size(); ++i) copy_in(strided[i], seeds[i]);
    executor.backward();
    for (std::size_t i = 0; i < wanted.size(); ++i) copy_out(executor.input_grad(wanted[i]), memory[i]);
  }
  return results;
}

}  // namespace

void bind_graph(py::module_& module) {
  module.attr("NO_VALUE") = no_value;

  py::class_<Graph>(module, "Graph")
      .def(py::init<>())
      .def(
          "input",
          [](Graph& graph, const py::sequence& shape, std::string_view dtype, std::string name, bool requires_grad) {
            return graph.input({to_shape(shape), to_dtype(dtype)}, std::move(name), requires_grad);
          },
          py::arg("shape"), py::arg("dtype"), py::arg("name"), py::arg("requires_grad") = false)
      .def("parameter", &Graph::parameter, py::arg("parameter"), py::arg("name"))
      .def(
          "add",
          [](Graph& graph, const std::shared_ptr<Op>& op, std::vector<ValueId> inputs, std::string name) {
            return graph.add(op, std::move(inputs), std::move(name));
          },
          py::arg("op"), py::arg("inputs"), py::arg("name"))
      .def(
          "add_node",
          [](Graph& graph, const std::shared_ptr<Op>& op, std::vector<ValueId> inputs, std::string name) {
            return graph.add_node(op, std::move(inputs), {std::move(name)});
          },
          py::arg("op"), py::arg("inputs"), py::arg("name"))
      .def("output", &Graph::output, py::arg("value"), py::arg("seeded"))
      .def("shape", [](const Graph& graph, ValueId v) { return to_tuple(graph.spec(v).shape); }, py::arg("value"))
      .def("dtype", [](const Graph& graph, ValueId v) { return name_of(graph.spec(v).dtype); }, py::arg("value"))
      .def("nodes", describe_nodes)
      .def("values", describe_values)
      .def_property_readonly("inputs", [](const Graph& graph) { return values_of(graph.inputs()); })
      .def_property_readonly("parameters", [](const Graph& graph) { return values_of(graph.parameters()); })
      .def_property_readonly("outputs", [](const Graph& graph) { return values_of(graph.outputs()); });

  py::class_<Plan, std::shared_ptr<Plan>>(module, "Plan")
      .def(py::init([](const Graph& graph, bool training, bool applies_gradients) {
             const py::gil_scoped_release release;
             return std::make_shared<Plan>(graph, to_mode(training), cpu_backend(),
                                           applies_gradients ? Gradients::applied : Gradients::in_parameters);
           }),
           py::arg("graph"), py::arg("training"), py::arg("applies_gradients") = false)
      .def_property_readonly("training", [](const Plan& plan) { return plan.mode() == Mode::training; })
      .def_property_readonly("arena_bytes", &Plan::arena_bytes)
      .def("explain", &Plan::explain)
      .def("nodes", [](const Plan& plan) { return describe_nodes(plan.graph()); })
      .def_property_readonly("graph", &Plan::graph, py::return_value_policy::reference_internal)
      .def_property_readonly("scratch_per_thread", [](const Plan& plan) { return plan.scratch().per_thread; })
      .def_property_readonly("prepared_bytes", &Plan::prepared_bytes)
      .def_property_readonly("output_bytes", output_bytes)
      .def_property_readonly("outputs", output_specs)
      .def("steps", describe_steps);

  py::class_<Executor>(module, "Executor")
      .def(py::init([](const std::shared_ptr<Plan>& plan) {
             const py::gil_scoped_release release;
             return std::make_unique<Executor>(plan);
           }),
           py::arg("plan"))
      .def("run", run, py::arg("inputs"), py::arg("seed"), py::arg("step"))
      .def("backward", run_backward, py::arg("gradients"))
      .def("train_step", run_train_step, py::arg("inputs"), py::arg("optimizer"), py::arg("seed"), py::arg("step"))
      .def("release", &Executor::release)
      .def("set_timing", &Executor::set_timing, py::arg("on"))
      .def("step_seconds", &Executor::step_seconds)
      .def("step_calls", step_calls);
}

}  // namespace fastcnn::bindings
