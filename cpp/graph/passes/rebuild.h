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

  // Copies a node, whose inputs have been copied.
  void copy(const Node& node);
  // These values of the source are made by this op of these values of the source, which have been made.
  void add(const std::vector<ValueId>& outputs, OpPtr op, const std::vector<ValueId>& inputs,
           std::vector<std::string> layers);
  // The new graph, with the outputs of the source. Ends the rebuild.
  Graph finish();

 private:
  const Graph& source_;
  Graph graph_;
  std::vector<ValueId> map_;  // value of the source -> value of the new graph
};

}  // namespace fastcnn
