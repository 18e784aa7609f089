#include "graph/passes/fuse.h"
#include "graph/passes/passes.h"

namespace fastcnn {

Graph fuse_activations(const Graph& graph, Mode mode) {
  return fuse(graph, [&](const Node& node, const Producers& producers) -> std::optional<Fusion> {
    const std::optional<Epilogue> epilogue = node.op->as_epilogue(graph.input_specs(node));
    const Activation* const f = epilogue ? std::get_if<Activation>(&*epilogue) : nullptr;
    if (f == nullptr || (mode == Mode::training && !f->gradient_from_output())) return {};
    const Node* producer = producers.sole(node.inputs[0]);
    if (producer == nullptr) return {};
    OpPtr op = producer->op->fused_with(*f, graph.input_specs(*producer));
    if (op == nullptr) return {};
    return Fusion{producer, std::move(op), producer->inputs};
  });
}

}  // namespace fastcnn
