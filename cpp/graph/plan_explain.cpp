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

bool same(const Place& a, const Place& b) { return a && a.where == b.where && a.at == b.at; }

// Where a step's results lie: "arena+4096", "in place, arena+0", "dx arena+0, gradient, gradient".
std::string results(const Step& step) {
  if (step.kind != Step::Kind::backward) {
    const bool in_place = step.kind == Step::Kind::forward && !step.x.empty() && same(step.y, step.x[0]);
    return (in_place ? "in place, " : "") + where(step.y);
  }
  std::string text = same(step.dx[0], step.dy) ? "in place, " : "";
  for (std::size_t i = 0; i < step.dx.size(); ++i) text.append(i > 0 ? ", " : "").append(where(step.dx[i]));
  return text;
}

// Left-aligned, a space behind; counts code points, since descriptions hold arrows.
std::string column(std::string text, std::size_t width) {
  const auto length = static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
  return text.append(std::max<std::size_t>(width, length + 1) - length, ' ');
}

std::string line(const Plan& plan, const Step& step) {
  std::string op, shape, algorithm;
  if (step.node >= 0) {
    const Node& node = plan.graph().nodes()[static_cast<std::size_t>(step.node)];
    const std::vector<Spec> x = plan.graph().input_specs(node);
    op = node.op->describe(x);
    shape = plan.graph().spec(node.output).shape.str();
    algorithm = node.op->algorithm(x);
  }
  std::string text = "  ";
  text.append(column(plan.step_name(step), 29)).append(column(op, 37)).append(column(shape, 20));
  text.append(column(megabytes(step.alive_bytes), 11)).append(results(step));
  if (step.moments_of_x.bytes > 0) text += "; moments gathered";
  if (step.moments_of_y.bytes > 0) text += "; gathers moments";
  if (!algorithm.empty()) text.append("; ").append(algorithm);
  return text;
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
