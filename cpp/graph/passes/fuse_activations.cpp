#include "graph/passes/passes.h"
#include "graph/passes/rebuild.h"

namespace fastcnn {
namespace {

// How often each value is read, as an input of a node or as an output of the graph.
std::vector<int> count_readers(const Graph& graph) {
  std::vector<int> readers(graph.values().size(), 0);
  for (const Node& node : graph.nodes()) {
    for (const ValueId v : node.inputs) {
      if (v != no_value) ++readers[static_cast<std::size_t>(v)];
    }
  }
  for (const GraphOutput& output : graph.outputs()) ++readers[static_cast<std::size_t>(output.value)];
  return readers;
}

}  // namespace

Graph fuse_activations(const Graph& graph, Mode mode) {
  const std::vector<int> readers = count_readers(graph);
  // For each node: the activation node that it takes in, and the op of both.
  struct Fusion {
    const Node* activation = nullptr;
    OpPtr op;
  };
  std::vector<Fusion> fusions(graph.nodes().size());
  std::vector<bool> taken(graph.nodes().size(), false);
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    const Activation* f = node.op->as_activation();
    if (f == nullptr || (mode == Mode::training && !f->gradient_from_output())) continue;
    const Value& x = graph.values()[static_cast<std::size_t>(node.inputs[0])];
    if (x.kind != Value::Kind::node || readers[static_cast<std::size_t>(node.inputs[0])] != 1) continue;
    const auto producer = static_cast<std::size_t>(x.index);
    if (OpPtr op = graph.nodes()[producer].op->fused_with(*f)) {
      fusions[producer] = {&node, std::move(op)};
      taken[i] = true;
    }
  }
  Rebuild rebuild(graph);
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (taken[i]) {
      rebuild.alias(node.output, node.inputs[0]);
    } else if (const Fusion& fusion = fusions[i]; fusion.activation != nullptr) {
      rebuild.copy(node, fusion.op, node.name + " + " + fusion.activation->name);
    } else {
      rebuild.copy(node);
    }
  }
  return rebuild.finish();
}

}  // namespace fastcnn
