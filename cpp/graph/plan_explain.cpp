#include <algorithm>
#include <cstdio>

#include "graph/plan.h"

namespace fastcnn {
namespace {

std::string megabytes(std::size_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f MB", static_cast<double>(bytes) / 1e6);
  return text;
}

std::string where(const Place& place) {
  switch (place.where) {
    case Place::Where::nowhere: return "nowhere";
    case Place::Where::arena: return "arena+" + std::to_string(place.at);
    case Place::Where::parameter: return "parameter";
    case Place::Where::parameter_grad: return "gradient";
  }
  return "?";
}

std::string where(const std::vector<Place>& places) {
  std::string text;
  for (const Place& place : places) text.append(text.empty() ? "" : ", ").append(where(place));
  return text;
}

bool same(const Place& a, const Place& b) { return a && a.where == b.where && a.at == b.at; }

// Where a step's results lie: "arena+4096", "in place, arena+0", "dx arena+0, gradient, gradient".
std::string results(const Step& step) {
  if (step.kind != Step::Kind::backward) {
    const bool in_place = step.kind == Step::Kind::forward && !step.x.empty() && same(step.y[0], step.x[0]);
    return (in_place ? "in place, " : "") + where(step.y);
  }
  return (same(step.dx[0], step.dy[0]) ? "in place, " : "") + where(step.dx);
}

// Left-aligned, a space behind; counts code points, since descriptions hold arrows.
std::string column(std::string text, std::size_t width) {
  const auto length = static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
  return text.append(std::max<std::size_t>(width, length + 1) - length, ' ');
}

// "; forward winograd_4x3 (depthwise: groups != channels; pointwise: kernel is not 1x1)", for each part of the step.
std::string algorithms(const Step& step) {
  std::string text;
  if (step.kernel == nullptr) return text;
  for (const AlgorithmChoice& choice : step.kernel->algorithms()) {
    text.append(text.empty() ? "; " : ", ").append(choice.part).append(" ").append(choice.name);
    std::string reasons;
    for (const auto& [name, reason] : choice.passed_over)
      reasons.append(reasons.empty() ? "" : "; ").append(name).append(": ").append(reason);
    if (!reasons.empty()) text.append(" (").append(reasons).append(")");
  }
  return text;
}

std::string line(const Plan& plan, const Step& step) {
  std::string op, shape;
  if (step.node >= 0) {
    const Node& node = plan.graph().nodes()[static_cast<std::size_t>(step.node)];
    op = node.op->describe(plan.graph().input_specs(node));
    for (const ValueId v : node.outputs) shape.append(shape.empty() ? "" : ", ").append(plan.graph().spec(v).shape.str());
  }
  std::string text = "  ";
  text.append(column(plan.step_name(step), 29)).append(column(op, 37)).append(column(shape, 20));
  text.append(column(megabytes(step.alive_bytes), 11)).append(results(step));
  if (step.statistics_of_x.bytes > 0) text += "; batch statistics gathered";
  if (step.statistics_of_y.bytes > 0) text += "; gathers batch statistics";
  return text + algorithms(step);
}

}  // namespace

std::string Plan::explain() const {
  std::string text = std::string("plan for ") + (mode_ == Mode::training ? "training" : "inference") + ": arena " +
                     megabytes(layout_.arena_bytes) + " (" + megabytes(layout_.alive_bytes) +
                     " alive at once, " + megabytes(layout_.block_bytes) + " without sharing), scratch " + megabytes(layout_.scratch.per_thread) + " per thread\n";
  for (const Step& step : layout_.forward) text += line(*this, step) + "\n";
  if (!layout_.backward.empty()) text += "backward\n";
  for (const Step& step : layout_.backward) text += line(*this, step) + "\n";
  return text;
}

}  // namespace fastcnn
