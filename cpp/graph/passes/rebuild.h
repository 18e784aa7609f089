// What passes share: copying a graph node by node into a new one.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace fastcnn {

class Rebuild {
 public:
  // Starts from the inputs and parameters of `source`, which must outlive this.
  explicit Rebuild(const Graph& source);

  // Copies a node, whose inputs have been copied, with another op and name where given.
  void copy(const Node& node);
  void copy(const Node& node, OpPtr op, std::string name);
  // From now on `value` of the source reads `as`, which has been copied.
  void alias(ValueId value, ValueId as);
  // The new graph, with the outputs of the source. Ends the rebuild.
  Graph finish();

 private:
  const Graph& source_;
  Graph graph_;
  std::vector<ValueId> map_;  // value of the source -> value of the new graph
};

}  // namespace fastcnn
