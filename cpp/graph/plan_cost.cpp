#include "graph/plan.h"

namespace fastcnn {
namespace {

std::int64_t bytes_of(const Place& place) { return place ? static_cast<std::int64_t>(place.spec.bytes()) : 0; }

bool same(const Place& a, const Place& b) { return a && a.where == b.where && a.at == b.at; }

std::int64_t bytes_of(const std::vector<Place>& places) {
  std::int64_t bytes = 0;
  for (const Place& place : places) bytes += bytes_of(place);
  return bytes;
}

// Each operand once, also where a step reads it twice.
std::int64_t bytes_read(const std::vector<Place>& places) {
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    bool again = false;
    for (std::size_t j = 0; j < i; ++j) again = again || same(places[i], places[j]);
    if (!again) bytes += bytes_of(places[i]);
  }
  return bytes;
}

}  // namespace

StepCost Plan::cost(const Step& step) const {
  StepCost cost;
  cost.bytes = bytes_read(step.x) + bytes_of(step.y) + static_cast<std::int64_t>(step.saved.bytes);
  if (step.kind == Step::Kind::accumulate || step.kind == Step::Kind::update) {
    cost.bytes += bytes_of(step.y);
    cost.operations = step.y[0].spec.shape.numel();
  }
  if (step.node < 0) return cost;
  const Node& node = graph_.nodes()[static_cast<std::size_t>(step.node)];
  const std::int64_t products = 2 * node.op->macs(graph_.input_specs(node));
  if (step.kind != Step::Kind::backward) {
    cost.operations = products;
    return cost;
  }
  cost.bytes += bytes_of(step.dy);
  for (std::size_t i = 0; i < step.dx.size(); ++i) {
    cost.bytes += bytes_of(step.dx[i]);
    // The products of y = x w once more for dx, and once more for dw; a bias costs none.
    if (i < 2 && step.dx[i]) cost.operations += products;
  }
  if (step.updates >= 0) {
    const Spec& parameter = graph_.spec(graph_.parameters()[static_cast<std::size_t>(step.updates)].value);
    cost.bytes += static_cast<std::int64_t>(parameter.bytes());  // it is written, too
    cost.operations += products + parameter.shape.numel();
  }
  return cost;
}

}  // namespace fastcnn
