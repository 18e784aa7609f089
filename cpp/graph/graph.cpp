#include "graph/graph.h"

#include <algorithm>
#include <utility>

#include "graph/error_context.h"

namespace fastcnn {
namespace {

// "Conv2d 96→256, groups=2". Ops describe themselves by the shapes of their inputs; shapes that an op
// refuses may be too strange for that.
std::string description(const Op& op, Specs x) {
  try {
    return op.describe(x);
  } catch (const Error&) {
    return std::string(op.kind());
  }
}

// The inputs that flow through the model, as the reader of an error wants to see them: the one that it is about as
// ", from pool1; x=(8, 64, 27, 27)", else "; x=(8, 64) from fc1, (8, 32) from fc2".
std::string provenance(const Graph& graph, const std::vector<ValueId>& inputs, const Error& error) {
  std::vector<ValueId> flowing;
  for (const ValueId v : inputs) {
    if (v != no_value && graph.values()[static_cast<std::size_t>(v)].kind != Value::Kind::parameter) {
      flowing.push_back(v);
    }
  }
  if (flowing.size() == 1 && error.input()) {
    return ", from " + graph.producer(flowing[0]) + "; x=" + graph.spec(flowing[0]).shape.str();
  }
  std::string text;
  for (const ValueId v : flowing) {
    text += (text.empty() ? "; x=" : ", ") + graph.spec(v).shape.str() + " from " + graph.producer(v);
  }
  return text;
}

}  // namespace

std::string Node::name() const {
  std::string name;
  for (const std::string& layer : layers) name.append(name.empty() ? "" : " + ").append(layer);
  return name;
}

ValueId Graph::new_value(Value::Kind kind, std::size_t index, const Spec& spec, int output) {
  values_.push_back({kind, static_cast<int>(index), output, spec});
  return static_cast<ValueId>(values_.size()) - 1;
}

void Graph::check_value(ValueId value) const {
  if (value < 0 || static_cast<std::size_t>(value) >= values_.size()) {
    throw ValueError("no value " + std::to_string(value) + " in a graph of " + std::to_string(values_.size()));
  }
}

ValueId Graph::input(Spec spec, std::string name, bool requires_grad) {
  if (requires_grad && !is_floating(spec.dtype)) {
    throw DTypeError("input " + name + ": only floating-point inputs have a gradient, got " + name_of(spec.dtype));
  }
  const ValueId value = new_value(Value::Kind::input, inputs_.size(), spec);
  inputs_.push_back({value, std::move(name), requires_grad});
  return value;
}

ValueId Graph::parameter(ParameterPtr parameter, std::string name) {
  const auto known = std::find_if(parameters_.begin(), parameters_.end(),
                                  [&](const GraphParameter& p) { return p.parameter == parameter; });
  if (known != parameters_.end()) return known->value;
  const ValueId value = new_value(Value::Kind::parameter, parameters_.size(), parameter->value.spec());
  parameters_.push_back({value, std::move(name), std::move(parameter)});
  return value;
}

std::vector<ValueId> Graph::add_node(OpPtr op, std::vector<ValueId> inputs, std::vector<std::string> layers) {
  Node node{.op = std::move(op), .inputs = std::move(inputs), .outputs = {}, .layers = std::move(layers)};
  if (!node.inputs.empty() && node.inputs[0] == no_value)
    throw ValueError(node.name() + ": the first input is missing");
  for (const ValueId v : node.inputs)
    if (v != no_value) check_value(v);
  std::vector<Spec> outputs;
  try {
    outputs = node.op->infer(input_specs(node));
  } catch (const Error&) {
    rethrow_with([&](const Error& error) { return explain(node, error); });
  }
  for (const Spec& output : outputs)
    node.outputs.push_back(new_value(Value::Kind::node, nodes_.size(), output, static_cast<int>(node.outputs.size())));
  nodes_.push_back(std::move(node));
  return nodes_.back().outputs;
}

void Graph::output(ValueId value, bool seeded) {
  check_value(value);
  if (seeded && !is_floating(spec(value).dtype)) {
    throw DTypeError("output " + producer(value) + ": only floating-point outputs can be seeded, got " +
                     name_of(spec(value).dtype));
  }
  outputs_.push_back({value, seeded});
}

const Spec& Graph::spec(ValueId value) const {
  static const Spec absent;
  return value == no_value ? absent : values_[static_cast<std::size_t>(value)].spec;
}

std::vector<Spec> Graph::input_specs(const Node& node) const {
  std::vector<Spec> specs;
  for (const ValueId v : node.inputs) specs.push_back(spec(v));
  return specs;
}

std::vector<Spec> Graph::output_specs(const Node& node) const {
  std::vector<Spec> specs;
  for (const ValueId v : node.outputs) specs.push_back(spec(v));
  return specs;
}

std::string Graph::explain(const Node& node, const Error& error) const {
  return node.name() + " (" + description(*node.op, input_specs(node)) + "): " + error.what() +
         provenance(*this, node.inputs, error);
}

bool Graph::are_parameters(const Node& node, std::uint32_t which) const {
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId v = node.inputs[i];
    const bool named = v != no_value && (which >> i & 1u);
    if (named && values_[static_cast<std::size_t>(v)].kind != Value::Kind::parameter) return false;
  }
  return true;
}

std::string Graph::producer(ValueId value) const {
  if (value == no_value) return "nothing";
  const Value& v = values_[static_cast<std::size_t>(value)];
  const auto index = static_cast<std::size_t>(v.index);
  switch (v.kind) {
    case Value::Kind::input: return "input " + inputs_[index].name;
    case Value::Kind::parameter: return "parameter " + parameters_[index].name;
    case Value::Kind::node: break;
  }
  return nodes_[index].name();
}

}  // namespace fastcnn
