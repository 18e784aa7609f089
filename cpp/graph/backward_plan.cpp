// The backward half of a plan. Nodes run in reverse order, so all readers of a value have contributed
// to its gradient before its producer's turn. A gradient in the arena is read by that one backward
// step alone, which is why a step may overwrite its dy. With Gradients::applied those of parameters lie there
// like any other, and an update step reads them.
#include <algorithm>
#include <utility>

#include "graph/plan_builder.h"

namespace fastcnn {

void PlanBuilder::lay_out_backward() {
  seed_gradients();
  for (std::size_t n = graph_.nodes().size(); n-- > 0;) {
    if (flow_.runs[n]) lay_out_backward(n);
  }
  finish_gradients();
  if (parameter_gradients_ == Gradients::applied) lay_out_updates();
}

void PlanBuilder::seed_gradients() {
  for (const GraphOutput& output : graph_.outputs()) {
    const Place seed = output.seeded ? new_block(graph_.spec(output.value)) : Place{};
    layout_.output_grads.push_back(seed);
  }
  for (std::size_t i = 0; i < graph_.outputs().size(); ++i) {
    const GraphOutput& output = graph_.outputs()[i];
    if (output.seeded && flow_.is_wanted(output.value)) contribute(output.value, layout_.output_grads[i]);
  }
}

void PlanBuilder::lay_out_backward(std::size_t n) {
  const Node& node = graph_.nodes()[n];
  const std::vector<Spec> x = graph_.input_specs(node);
  const Needs needs = node.op->backward_needs(x);
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (needs.reads_x(i)) restore(node.inputs[i]);
  }
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (needs.reads_y(i)) restore(node.outputs[i]);
  }
  Step step{.kind = Step::Kind::backward, .node = static_cast<int>(n), .kernel = make_kernel(node, Pass::backward)};
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    Place operand{.spec = x[i]};
    if (node.inputs[i] != no_value) {
      const Place& value = place(node.inputs[i]);
      if (value.where == Place::Where::parameter || needs.reads_x(i)) operand = value;
    }
    step.x.push_back(operand);
  }
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const ValueId v = node.outputs[i];
    const Place& gradient = gradients_[static_cast<std::size_t>(v)];
    step.y.push_back(needs.reads_y(i) ? place(v) : Place{.spec = graph_.spec(v)});
    step.dy.push_back(gradient ? gradient : Place{.spec = graph_.spec(v)});
  }
  step.saved = saved_[n];
  step.updates = updated_by(node, *step.kernel);
  if (step.updates >= 0) is_updated_[static_cast<std::size_t>(step.updates)] = true;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) step.dx.push_back(gradient_place(node, i, step));
  step.scratch = new_scratch(*step.kernel);
  const std::vector<Place> pieces = step.dx;
  layout_.backward.push_back(std::move(step));
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i]) contribute(node.inputs[i], pieces[i]);
  }
}

void PlanBuilder::restore(ValueId value) {
  if (value == no_value || !absent_[static_cast<std::size_t>(value)]) return;
  absent_[static_cast<std::size_t>(value)] = false;
  const auto n = static_cast<std::size_t>(graph_.values()[static_cast<std::size_t>(value)].index);
  const Node& node = graph_.nodes()[n];  // of one output: others are kept
  Step step{.kind = Step::Kind::recompute, .node = static_cast<int>(n), .kernel = make_kernel(node, Pass::recompute)};
  for (const ValueId v : node.inputs) {
    restore(v);
    step.x.push_back(v == no_value ? Place{} : place(v));
  }
  places_[static_cast<std::size_t>(value)] = new_block(graph_.spec(value));
  step.y.push_back(place(value));
  step.saved = saved_[n];
  step.scratch = new_scratch(*step.kernel);
  layout_.backward.push_back(std::move(step));
}

Place PlanBuilder::gradient_place(const Node& node, std::size_t i, const Step& step) {
  const ValueId v = node.inputs[i];
  const Spec& spec = graph_.spec(v);
  if (!flow_.is_wanted(v) || !node.op->differentiable(static_cast<int>(i))) return {.spec = spec};
  const Value& value = graph_.values()[static_cast<std::size_t>(v)];
  if (value.kind == Value::Kind::parameter) {
    const auto p = static_cast<std::size_t>(value.index);
    if (is_updated_[p]) return {.spec = spec};
    if (parameter_gradients_ == Gradients::in_parameters && !has_gradient_place_[p]) {
      has_gradient_place_[p] = true;
      return {Place::Where::parameter_grad, p, spec};
    }
  }
  const Place& dy = step.dy[0];
  if (i == 0 && dy && step.kernel->in_place() && dy.spec.bytes() == spec.bytes())
    return {Place::Where::arena, dy.at, spec};
  return new_block(spec);
}

int PlanBuilder::updated_by(const Node& node, const Kernel& kernel) const {
  const int input = kernel.gives_pieces();
  if (input < 0 || parameter_gradients_ != Gradients::applied) return -1;
  const ValueId v = node.inputs[static_cast<std::size_t>(input)];
  const Value& value = graph_.values()[static_cast<std::size_t>(v)];
  if (value.kind != Value::Kind::parameter || !flow_.is_wanted(v)) return -1;
  std::ptrdiff_t readers = 0;
  for (const Node& other : graph_.nodes()) readers += std::ranges::count(other.inputs, v);
  const bool is_output = std::ranges::find(graph_.outputs(), v, &GraphOutput::value) != graph_.outputs().end();
  return readers == 1 && !is_output ? value.index : -1;
}

void PlanBuilder::contribute(ValueId value, const Place& piece) {
  Place& gradient = gradients_[static_cast<std::size_t>(value)];
  const Value& v = graph_.values()[static_cast<std::size_t>(value)];
  if (gradient) {
    layout_.backward.push_back({.kind = Step::Kind::accumulate, .x = {piece}, .y = {gradient}});
  } else if (v.kind == Value::Kind::parameter && piece.where == Place::Where::arena &&
             parameter_gradients_ == Gradients::in_parameters) {
    // A parameter that is itself a seeded output.
    const auto p = static_cast<std::size_t>(v.index);
    has_gradient_place_[p] = true;
    gradient = {Place::Where::parameter_grad, p, v.spec};
    layout_.backward.push_back({.kind = Step::Kind::copy, .x = {piece}, .y = {gradient}});
  } else {
    gradient = piece;
  }
}

void PlanBuilder::finish_gradients() {
  for (std::size_t p = 0; p < graph_.parameters().size(); ++p) {
    const ValueId v = graph_.parameters()[p].value;
    Place& gradient = gradients_[static_cast<std::size_t>(v)];
    if (!flow_.is_wanted(v) || gradient || is_updated_[p]) continue;
    const bool in_parameter = parameter_gradients_ == Gradients::in_parameters;
    gradient = in_parameter ? Place{Place::Where::parameter_grad, p, graph_.spec(v)} : new_block(graph_.spec(v));
    layout_.backward.push_back({.kind = Step::Kind::zero, .y = {gradient}});
  }
  for (const GraphInput& input : graph_.inputs()) {
    Place gradient;
    if (input.requires_grad) {
      gradient = gradients_[static_cast<std::size_t>(input.value)];
      if (!gradient) {
        gradient = new_block(graph_.spec(input.value));
        layout_.backward.push_back({.kind = Step::Kind::zero, .y = {gradient}});
      }
    }
    layout_.input_grads.push_back(gradient);
  }
}

// Of the parameters that no backward step updates: right after the last step that reads them or contributes to their
// gradient; what makes a dropped value again may be a later reader than the backward steps.
void PlanBuilder::lay_out_updates() {
  const std::vector<GraphParameter>& parameters = graph_.parameters();
  const auto awaits = [&](std::size_t p) { return flow_.is_wanted(parameters[p].value) && !is_updated_[p]; };
  const auto gradient = [&](std::size_t p) { return gradients_[static_cast<std::size_t>(parameters[p].value)]; };
  constexpr auto nobody = static_cast<std::size_t>(-1);
  std::vector<std::size_t> owner(blocks_.size(), nobody);  // of each block: the parameter whose gradient it becomes
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    if (awaits(p)) owner[gradient(p).at] = p;
  }

  const std::vector<Step> steps = std::exchange(layout_.backward, {});
  std::vector<std::size_t> due(parameters.size(), 0);  // number of steps that come before the update
  for (std::size_t s = 0; s < steps.size(); ++s) {
    const auto note = [&](const Place& place) {
      if (place.where == Place::Where::parameter) due[place.at] = s + 1;
      if (place.where == Place::Where::arena && owner[place.at] != nobody) due[owner[place.at]] = s + 1;
    };
    std::ranges::for_each(steps[s].x, note);
    std::ranges::for_each(steps[s].y, note);
    std::ranges::for_each(steps[s].dx, note);
  }
  for (std::size_t s = 0; s <= steps.size(); ++s) {
    if (s > 0) layout_.backward.push_back(steps[s - 1]);
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      if (due[p] != s || !awaits(p)) continue;
      layout_.backward.push_back({.kind = Step::Kind::update, .x = {gradient(p)}, .y = {place(parameters[p].value)}});
    }
  }
}

}  // namespace fastcnn
