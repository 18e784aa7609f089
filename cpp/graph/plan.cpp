#include "graph/plan.h"

#include "core/allocator.h"
#include "graph/plan_builder.h"

namespace fastcnn {

Plan::Plan(const Graph& graph, Mode mode, Gradients gradients)
    : mode_(mode),
      gradients_(gradients),
      graph_(run_passes(graph, mode)),
      layout_(PlanBuilder(graph_, mode, gradients).build()) {}

std::size_t Plan::prepared_bytes() const {
  std::size_t bytes = 0;
  for (const Step& step : layout_.forward) bytes += align_up(step.prepared_bytes);
  return bytes;
}

std::string Plan::step_name(const Step& step) const {
  const auto owner = [&](const Place& place) {
    return place.where == Place::Where::parameter_grad ? " of " + graph_.parameters()[place.at].name : std::string();
  };
  switch (step.kind) {
    case Step::Kind::forward: return graph_.nodes()[static_cast<std::size_t>(step.node)].name;
    case Step::Kind::recompute: return graph_.nodes()[static_cast<std::size_t>(step.node)].name + " again";
    case Step::Kind::backward: {
      const std::string name = graph_.nodes()[static_cast<std::size_t>(step.node)].name + " backward";
      if (step.updates < 0) return name;
      return name + ", " + graph_.parameters()[static_cast<std::size_t>(step.updates)].name + " update";
    }
    case Step::Kind::accumulate: return "sum of gradients" + owner(step.y);
    case Step::Kind::copy: return "copy of gradient" + owner(step.y);
    case Step::Kind::zero: return "zero gradient" + owner(step.y);
    case Step::Kind::update: return graph_.parameters()[step.y.at].name + " update";
  }
  return "?";
}

}  // namespace fastcnn
