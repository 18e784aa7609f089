// A model as data: a DAG of ops in topological order, made by tracing for given input shapes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/parameter.h"
#include "ops/op.h"

namespace fastcnn {

using ValueId = int;
inline constexpr ValueId no_value = -1;  // an absent optional input, such as a bias

struct Value {
  enum class Kind { input, parameter, node };
  Kind kind;
  int index;   // into inputs(), parameters() or nodes()
  int output;  // of a node: which of its outputs
  Spec spec;
};

struct GraphInput {
  ValueId value;
  std::string name;
  bool requires_grad;  // whether the caller asks for its gradient
};

struct GraphParameter {
  ValueId value;
  std::string name;
  ParameterPtr parameter;
};

struct Node {
  OpPtr op;
  std::vector<ValueId> inputs;  // no_value where an optional input is absent
  std::vector<ValueId> outputs;
  std::vector<std::string> layers;  // paths in the model; several where a pass has fused them

  std::string name() const;  // "features.conv2", "conv1 + relu1"
};

struct GraphOutput {
  ValueId value;
  bool seeded;
};

class Graph {
 public:
  ValueId input(Spec spec, std::string name, bool requires_grad = false);
  // The same parameter given twice is one value.
  ValueId parameter(ParameterPtr parameter, std::string name);
  // Infers the outputs. An error of the op comes out with the layer's name, its description, the
  // offending input's producer and the shapes around it:
  // "conv2 (Conv2d 96→256, groups=2): input has 64 channels, expected 96, from pool1; x=(8, 64, 27, 27)".
  // Throws ValueError for a value that this graph doesn't have.
  std::vector<ValueId> add_node(OpPtr op, std::vector<ValueId> inputs, std::vector<std::string> layers);
  // The first output, for ops that have one.
  ValueId add(OpPtr op, std::vector<ValueId> inputs, std::string name) {
    return add_node(std::move(op), std::move(inputs), {std::move(name)})[0];
  }
  // `seeded`: backward starts from a gradient that the caller gives for this output. An output that
  // is only looked at (logits beside their loss) is not seeded. Only floating-point values can be.
  void output(ValueId value, bool seeded = true);

  const std::vector<Value>& values() const { return values_; }
  const std::vector<GraphInput>& inputs() const { return inputs_; }
  const std::vector<GraphParameter>& parameters() const { return parameters_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<GraphOutput>& outputs() const { return outputs_; }

  const Spec& spec(ValueId value) const;  // rank-0 spec for no_value
  std::vector<Spec> input_specs(const Node& node) const;
  std::vector<Spec> output_specs(const Node& node) const;
  // What a refusal of the node's op or of its kernel says, with the words of Graph::add_node around it.
  std::string explain(const Node& node, const Error& error) const;
  // Whether the inputs of a node that `which` names (bit i: input i) are parameters, or absent.
  bool are_parameters(const Node& node, std::uint32_t which) const;
  std::string producer(ValueId value) const;  // "pool1", "input x", "parameter conv1.weight"

 private:
  ValueId new_value(Value::Kind kind, std::size_t index, const Spec& spec, int output = 0);
  void check_value(ValueId value) const;

  std::vector<Value> values_;
  std::vector<GraphInput> inputs_;
  std::vector<GraphParameter> parameters_;
  std::vector<Node> nodes_;
  std::vector<GraphOutput> outputs_;
};

}  // namespace fastcnn
