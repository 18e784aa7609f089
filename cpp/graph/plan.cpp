#include "graph/plan.h"

#include <utility>

#include "core/allocator.h"
#include "graph/plan_builder.h"

namespace fastcnn {
namespace {

// In training: products are computed again where that makes the arena smaller by a twentieth. What it frees may not be
// there at the peak, and what comes back may.
PlanLayout lay_out(const Graph& graph, Mode mode, const Backend& backend, Gradients gradients) {
  PlanLayout layout = PlanBuilder(graph, mode, backend, gradients, Recomputed::cheap).build();
  if (mode == Mode::inference) return layout;
  PlanLayout smaller = PlanBuilder(graph, mode, backend, gradients, Recomputed::cheap_and_affordable).build();
  return smaller.arena_bytes * 20 <= layout.arena_bytes * 19 ? smaller : layout;
}

}  // namespace

Plan::Plan(const Graph& graph, Mode mode, BackendPtr backend, Gradients gradients)
    : backend_(std::move(backend)),
      mode_(mode),
      gradients_(gradients),
      graph_(run_passes(graph, mode)),
      layout_(lay_out(graph_, mode, *backend_, gradients)) {}

std::size_t Plan::prepared_bytes() const {
  std::size_t bytes = 0;
  for (const Step& step : layout_.forward) bytes += align_up(step.kernel->memory().prepared);
  return bytes;
}

std::string Plan::step_name(const Step& step) const {
  const auto owner = [&](const Place& place) {
    return place.where == Place::Where::parameter_grad ? " of " + graph_.parameters()[place.at].name : std::string();
  };
  switch (step.kind) {
    case Step::Kind::forward: return graph_.nodes()[static_cast<std::size_t>(step.node)].name();
    case Step::Kind::recompute: return graph_.nodes()[static_cast<std::size_t>(step.node)].name() + " again";
    case Step::Kind::backward: {
      const std::string name = graph_.nodes()[static_cast<std::size_t>(step.node)].name() + " backward";
      if (step.updates < 0) return name;
      return name + ", " + graph_.parameters()[static_cast<std::size_t>(step.updates)].name + " update";
    }
    case Step::Kind::accumulate: return "sum of gradients" + owner(step.y[0]);
    case Step::Kind::copy: return "copy of gradient" + owner(step.y[0]);
    case Step::Kind::zero: return "zero gradient" + owner(step.y[0]);
    case Step::Kind::update: return graph_.parameters()[step.y[0].at].name + " update";
  }
  return "?";
}

}  // namespace fastcnn
