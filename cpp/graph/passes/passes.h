// Passes: pure functions Graph -> Graph. Inputs, outputs and parameters keep their order.
#pragma once

#include "graph/graph.h"

namespace fastcnn {

enum class Mode { inference, training };

// Drops nodes from which no output is reached. Inputs and parameters stay.
Graph drop_dead_nodes(const Graph& graph);

// At inference: a batch norm moves into the weights of the layer that alone feeds it.
Graph fold_norms(const Graph& graph);

// A sum moves into one of the layers that alone feed it, as its residual input.
Graph fuse_adds(const Graph& graph);

// Moves an activation into the layer that alone feeds it, such as the epilogue of a convolution.
// In training only where the gradient can be had from the output.
Graph fuse_activations(const Graph& graph, Mode mode);

// All of the above in their order: what Plan runs.
Graph run_passes(const Graph& graph, Mode mode);

}  // namespace fastcnn
