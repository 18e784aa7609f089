#include "graph/passes/passes.h"

namespace fastcnn {

Graph run_passes(const Graph& graph, Mode mode) { return fuse_activations(drop_dead_nodes(graph), mode); }

}  // namespace fastcnn
