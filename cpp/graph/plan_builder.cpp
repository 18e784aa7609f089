#include "graph/plan_builder.h"

#include <algorithm>
#include <limits>
#include <string>

#include "graph/error_context.h"

namespace fastcnn {
namespace {

// Calls f(at) for each block that a step touches, given the offset's place in the step.
template <class S, class F>
void for_each_block(S& step, F&& f) {
  const auto visit = [&](auto& place) {
    if (place.where == Place::Where::arena) f(place.at);
  };
  for (auto& place : step.x) visit(place);
  for (auto& place : step.y) visit(place);
  for (auto& place : step.dy) visit(place);
  for (auto& place : step.dx) visit(place);
  if (step.saved.bytes > 0) f(step.saved.offset);
  if (step.scratch.bytes > 0) f(step.scratch.offset);
  if (step.statistics_of_x.bytes > 0) f(step.statistics_of_x.offset);
  if (step.statistics_of_y.bytes > 0) f(step.statistics_of_y.offset);
}

}  // namespace

PlanBuilder::PlanBuilder(const Graph& graph, Mode mode, const Backend& backend, Gradients gradients,
                         Recomputed recomputed)
    : graph_(graph),
      mode_(mode),
      backend_(backend),
      parameter_gradients_(gradients),
      recomputed_(recomputed),
      flow_(gradient_flow(graph, mode)),
      places_(graph.values().size()),
      kept_(find_kept_values()),
      absent_(graph.values().size(), false),
      unread_(graph.values().size(), 0),
      saved_(graph.nodes().size()),
      statistics_(graph.values().size()),
      gradients_(graph.values().size()),
      has_gradient_place_(graph.parameters().size(), false),
      is_updated_(graph.parameters().size(), false) {
  for (const Node& node : graph.nodes()) forward_kernels_.push_back(make_forward_kernel(node));
}

std::shared_ptr<const Kernel> PlanBuilder::make_kernel(const Node& node, Pass pass) const {
  const std::vector<Spec> x = graph_.input_specs(node);
  try {
    if (std::shared_ptr<const Kernel> kernel = backend_.make(node.op, pass, x)) return kernel;
    std::string types;
    for (const Spec& spec : x)
      if (spec.shape.rank() > 0) types.append(types.empty() ? "" : ", ").append(name_of(spec.dtype));
    throw UnsupportedError("the " + std::string(backend_.name()) + " backend has no kernel for " + types);
  } catch (const Error&) {
    rethrow_with([&](const Error& error) { return graph_.explain(node, error); });
  }
}

// What a kernel prepares at inference is made of parameters: where inputs are not, it works as in training.
std::shared_ptr<const Kernel> PlanBuilder::make_forward_kernel(const Node& node) const {
  if (mode_ == Mode::training) return make_kernel(node, Pass::forward);
  std::shared_ptr<const Kernel> kernel = make_kernel(node, Pass::inference);
  const Memory memory = kernel->memory();
  const bool can_prepare = memory.prepared == 0 || graph_.are_parameters(node, memory.prepared_from);
  return can_prepare ? kernel : make_kernel(node, Pass::forward);
}

PlanLayout PlanBuilder::build() {
  lay_out_inputs();
  drop_values();
  lay_out_forward();
  lay_out_outputs();
  if (mode_ == Mode::training) lay_out_backward();
  place_blocks();
  return std::move(layout_);
}

Place PlanBuilder::new_block(const Spec& spec) {
  blocks_.push_back({spec.bytes(), std::numeric_limits<int>::max(), 0});
  return {Place::Where::arena, blocks_.size() - 1, spec};
}

ArenaRange PlanBuilder::new_range(std::size_t bytes) {
  if (bytes == 0) return {};
  blocks_.push_back({bytes, std::numeric_limits<int>::max(), 0});
  return {blocks_.size() - 1, bytes};
}

ArenaRange PlanBuilder::new_scratch(const Kernel& kernel) {
  const ScratchSize size = kernel.memory().scratch;
  layout_.scratch.shared = std::max(layout_.scratch.shared, size.shared);
  layout_.scratch.per_thread = std::max(layout_.scratch.per_thread, size.per_thread);
  return new_range(size.shared);
}

std::vector<bool> PlanBuilder::find_fixed_values() const {
  std::vector<bool> fixed(graph_.values().size(), false);
  const auto fix = [&](ValueId v) { fixed[static_cast<std::size_t>(v)] = true; };
  for (const GraphInput& input : graph_.inputs()) fix(input.value);
  for (const GraphParameter& p : graph_.parameters()) fix(p.value);
  for (const GraphOutput& output : graph_.outputs()) fix(output.value);
  return fixed;
}

std::vector<bool> PlanBuilder::find_kept_values() const {
  std::vector<bool> kept = find_fixed_values();
  const auto keep = [&](ValueId v) { kept[static_cast<std::size_t>(v)] = true; };
  for (std::size_t n = 0; n < graph_.nodes().size(); ++n) {
    if (!flow_.runs[n]) continue;
    const Node& node = graph_.nodes()[n];
    const Needs needs = node.op->backward_needs(graph_.input_specs(node));
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (needs.reads_y(i)) keep(node.outputs[i]);
    }
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != no_value && needs.reads_x(i)) keep(node.inputs[i]);
    }
  }
  return kept;
}

void PlanBuilder::drop_values() {
  if (mode_ == Mode::inference) return;
  const std::vector<bool> dropped = find_dropped(graph_, kept_, find_fixed_values(), recomputed_);
  for (std::size_t v = 0; v < kept_.size(); ++v) {
    kept_[v] = kept_[v] && !dropped[v];
    absent_[v] = !kept_[v];
  }
}

bool PlanBuilder::can_run_in_place(const Node& node, const Kernel& kernel) const {
  if (node.inputs.empty() || !kernel.in_place()) return false;
  const auto v = static_cast<std::size_t>(node.inputs[0]);
  return unread_[v] == 1 && !kept_[v] && graph_.spec(node.inputs[0]).bytes() == graph_.spec(node.outputs[0]).bytes();
}

// Of each value, whether a step of the forward pass in training reads its batch statistics.
std::vector<bool> PlanBuilder::find_wanted_statistics() const {
  std::vector<bool> wanted(graph_.values().size(), false);
  if (mode_ == Mode::inference) return wanted;
  for (std::size_t n = 0; n < graph_.nodes().size(); ++n) {
    if (forward_kernels_[n]->reads_statistics())
      wanted[static_cast<std::size_t>(graph_.nodes()[n].inputs[0])] = true;
  }
  return wanted;
}

void PlanBuilder::lay_out_inputs() {
  for (const GraphInput& input : graph_.inputs()) {
    layout_.inputs.push_back(places_[static_cast<std::size_t>(input.value)] = new_block(graph_.spec(input.value)));
  }
  for (std::size_t i = 0; i < graph_.parameters().size(); ++i) {
    const ValueId v = graph_.parameters()[i].value;
    places_[static_cast<std::size_t>(v)] = {Place::Where::parameter, i, graph_.spec(v)};
  }
}

void PlanBuilder::lay_out_forward() {
  for (const Node& node : graph_.nodes()) {
    for (const ValueId v : node.inputs) {
      if (v != no_value) ++unread_[static_cast<std::size_t>(v)];
    }
  }
  const std::vector<bool> wants_statistics = find_wanted_statistics();
  for (std::size_t n = 0; n < graph_.nodes().size(); ++n) {
    const Node& node = graph_.nodes()[n];
    const Kernel& kernel = *forward_kernels_[n];
    Step step{.kind = Step::Kind::forward, .node = static_cast<int>(n), .kernel = forward_kernels_[n]};
    for (const ValueId v : node.inputs) step.x.push_back(v == no_value ? Place{} : place(v));
    for (const ValueId v : node.outputs) {
      if (v == node.outputs[0] && can_run_in_place(node, kernel)) {
        step.y.push_back(place(node.inputs[0]));
        step.y.back().spec = graph_.spec(v);
      } else {
        step.y.push_back(new_block(graph_.spec(v)));
      }
      places_[static_cast<std::size_t>(v)] = step.y.back();
    }
    if (mode_ == Mode::training)
      step.saved = saved_[n] = new_range(node.op->backward_needs(graph_.input_specs(node)).saved_bytes);
    const auto y = static_cast<std::size_t>(node.outputs[0]);
    if (wants_statistics[y]) statistics_[y] = step.statistics_of_y = new_range(kernel.memory().statistics);
    if (kernel.reads_statistics()) step.statistics_of_x = statistics_[static_cast<std::size_t>(node.inputs[0])];
    step.scratch = new_scratch(kernel);
    for (const ValueId v : node.inputs) {
      if (v != no_value) --unread_[static_cast<std::size_t>(v)];
    }
    layout_.forward.push_back(std::move(step));
  }
}

void PlanBuilder::lay_out_outputs() {
  for (const GraphOutput& output : graph_.outputs()) layout_.outputs.push_back(place(output.value));
}

// Time 0: inputs are set. Then the forward steps; the time between, when seeds are filled in; the
// backward steps; and the end, when outputs and gradients are read. Inputs live throughout, so that a
// plan can run again on what it was given.
void PlanBuilder::place_blocks() {
  const auto touch = [&](std::size_t block, int time) {
    blocks_[block].first = std::min(blocks_[block].first, time);
    blocks_[block].last = std::max(blocks_[block].last, time);
  };
  const auto touch_places = [&](const std::vector<Place>& places, int time) {
    for (const Place& place : places) {
      if (place.where == Place::Where::arena) touch(place.at, time);
    }
  };
  int time = 0;
  touch_places(layout_.inputs, time);
  for (const Step& step : layout_.forward) {
    ++time;
    for_each_block(step, [&](std::size_t block) { touch(block, time); });
  }
  touch_places(layout_.output_grads, ++time);
  for (const Step& step : layout_.backward) {
    ++time;
    for_each_block(step, [&](std::size_t block) { touch(block, time); });
  }
  ++time;
  for (const auto* places : {&layout_.inputs, &layout_.outputs, &layout_.input_grads}) touch_places(*places, time);

  const MemoryPlan memory = plan_memory(blocks_);
  layout_.arena_bytes = memory.bytes;
  std::vector<std::size_t> alive(static_cast<std::size_t>(time) + 1, 0);
  for (const Lifetime& block : blocks_) {
    layout_.block_bytes += align_up(block.bytes);
    for (int t = block.first; t <= block.last; ++t) alive[static_cast<std::size_t>(t)] += align_up(block.bytes);
  }
  layout_.alive_bytes = *std::max_element(alive.begin(), alive.end());
  std::size_t at = 0;
  for (auto* steps : {&layout_.forward, &layout_.backward}) {
    for (Step& step : *steps) step.alive_bytes = alive[++at];
    ++at;  // the time between
  }

  const auto resolve = [&](std::size_t& at) { at = memory.offsets[at]; };
  for (auto* steps : {&layout_.forward, &layout_.backward}) {
    for (Step& step : *steps) for_each_block(step, resolve);
  }
  for (auto* places : {&layout_.inputs, &layout_.outputs, &layout_.output_grads, &layout_.input_grads}) {
    for (Place& place : *places) {
      if (place.where == Place::Where::arena) resolve(place.at);
    }
  }
}

}  // namespace fastcnn
