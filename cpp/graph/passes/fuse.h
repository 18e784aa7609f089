// What fusing passes share: a node takes in the one that alone feeds it.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "graph/graph.h"

namespace fastcnn {

// Who makes the values of a graph, and whether anybody else reads them.
class Producers {
 public:
  explicit Producers(const Graph& graph);
  // The node whose only output this is, when nothing else reads it; else null.
  const Node* sole(ValueId value) const;

 private:
  const Graph& graph_;
  std::vector<int> readers_;  // of each value: inputs of nodes and outputs of the graph
};

// What becomes of a node and its producer: one node of this op on values of the graph.
struct Fusion {
  const Node* producer;
  OpPtr op;
  std::vector<ValueId> inputs;
};

// Fuses each node for which `rule` has an answer. The fused node stands where the reader stood and has both
// layers' names: "conv1 + relu1".
Graph fuse(const Graph& graph, const std::function<std::optional<Fusion>(const Node&, const Producers&)>& rule);

}  // namespace fastcnn
