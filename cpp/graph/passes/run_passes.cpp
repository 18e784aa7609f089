#include "graph/passes/passes.h"

namespace fastcnn {

Graph run_passes(const Graph& graph, Mode mode) {
  Graph result = drop_dead_nodes(graph);
  if (mode == Mode::inference) result = fold_norms(result);
  return fuse_activations(fuse_adds(result), mode);
}

}  // namespace fastcnn
