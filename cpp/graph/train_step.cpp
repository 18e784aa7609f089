#include "graph/train_step.h"

#include <algorithm>
#include <optional>

#include "core/error.h"

namespace fastcnn {
namespace {

class SgdOfSlots final : public ParameterUpdate, public GradientPieces {
 public:
  SgdOfSlots(const Graph& graph, std::span<SgdSlot> slots, std::span<const SgdSettings> groups)
      : graph_(graph), slots_(slots), groups_(groups) {}

  void apply(std::size_t parameter, ConstView gradient) override {
    if (SgdSlot* const slot = slot_of(parameter)) sgd_update(*slot, groups_, gradient);
  }
  GradientPieces& begin(std::size_t parameter) override {
    if (SgdSlot* const slot = slot_of(parameter)) in_pieces_.emplace(*slot, groups_);
    return *this;
  }
  void take(const GradientPiece& piece) override {
    if (in_pieces_) in_pieces_->update(piece);
  }
  void end() override {
    if (in_pieces_) in_pieces_->finish();
    in_pieces_.reset();
  }

 private:
  // Null for a parameter that nobody optimises.
  SgdSlot* slot_of(std::size_t parameter) {
    const auto slot = std::ranges::find(slots_, graph_.parameters()[parameter].parameter, &SgdSlot::parameter);
    return slot != slots_.end() ? &*slot : nullptr;
  }

  const Graph& graph_;
  std::span<SgdSlot> slots_;
  std::span<const SgdSettings> groups_;
  std::optional<SgdInPieces> in_pieces_;
};

}  // namespace

void train_step(Executor& executor, std::span<SgdSlot> slots, std::span<const SgdSettings> groups,
                RandomState random) {
  if (executor.plan().mode() != Mode::training || executor.plan().gradients() != Gradients::applied) {
    throw Error("train_step: expected a plan for training that applies gradients");
  }
  check_groups(slots, groups);
  executor.forward(random);
  if (!executor.is_loss_finite()) return;
  executor.fill_output_grads(1);
  const Graph& graph = executor.plan().graph();
  for (const GraphParameter& p : graph.parameters()) p.parameter->has_grad = false;
  for (const SgdSlot& slot : slots) slot.parameter->has_grad = false;
  SgdOfSlots update(graph, slots, groups);
  executor.backward(update);
}

}  // namespace fastcnn
