// What optimisers have in common: parameters in groups with settings of their own, what is kept of each, and the ways to
// update them: all that hold a gradient at once, or one by one within a training step. Either leaves the same bytes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "core/parameter.h"
#include "graph/backend.h"
#include "graph/parameter_update.h"
#include "graph/update_rule.h"

namespace fastcnn {

using ParameterGroups = std::vector<std::vector<ParameterPtr>>;

class Optimizer : public ParameterUpdate {
 public:
  // One parameter. A state is made at the first update that uses it.
  struct Slot {
    ParameterPtr parameter;
    std::size_t group = 0;
    std::array<Tensor, ParameterStep::max_states> state{};
    std::int64_t steps = 0;  // updates so far
  };

  // Throws ValueError for a parameter that is given twice, DTypeError for one that isn't floating-point.
  Optimizer(const ParameterGroups& groups, BackendPtr backend);
  Optimizer(Optimizer&&) noexcept;
  ~Optimizer() override;

  const std::vector<Slot>& slots() const { return slots_; }
  // For loading; states are of the parameter's spec, or empty.
  Slot& slot(std::size_t index);

  // The states of a slot, in the order of the rule: "exp_avg", "exp_avg_sq".
  virtual std::vector<std::string_view> state_names() const = 0;

  // What the states take when every parameter that trains has been updated.
  std::size_t state_bytes() const;

  // Updates every parameter that has a gradient, by the settings of its group. Throws ShapeError for a gradient unlike
  // its parameter, before anything changes.
  void step();

  void begin_step(const Graph& graph) override;
  void zero_grad() override;
  void apply(std::size_t parameter, ConstView gradient) override;
  GradientPieces& begin_pieces(std::size_t parameter) override;
  void end_pieces() override;

 protected:
  // Of the update of a slot that is its `steps`th.
  virtual UpdateRule rule_of(const Slot& slot) const = 0;
  virtual bool uses_state(const Slot& slot, std::size_t state) const = 0;
  virtual double initial_state(const Slot&) const { return 0; }
  // Throws where the settings of a slot's group don't suit its parameter.
  virtual void check(const Slot&) const {}

 private:
  class Pieces;

  // Null for a parameter that nobody optimises.
  Slot* slot_of(std::size_t parameter) const { return of_graph_[parameter]; }
  ParameterStep begin(Slot& slot, ConstView gradient);

  BackendPtr backend_;
  std::unique_ptr<Stream> stream_;
  std::vector<Slot> slots_;
  std::vector<const Parameter*> graph_parameters_;  // of the last training step
  std::vector<Slot*> of_graph_;                     // of each of them
  std::vector<ParameterStep> pending_;
  std::unique_ptr<Pieces> pieces_;
};

// One whose settings of a group are `Settings`.
template <class Settings>
class OptimizerOf : public Optimizer {
 public:
  OptimizerOf(const ParameterGroups& groups, BackendPtr backend)
      : Optimizer(groups, std::move(backend)), settings_(groups.size()) {}

  std::size_t group_count() const { return settings_.size(); }
  void configure(std::size_t group, const Settings& settings) { settings_.at(group) = settings; }

 protected:
  const Settings& settings_of(const Slot& slot) const { return settings_[slot.group]; }

 private:
  std::vector<Settings> settings_;
};

}  // namespace fastcnn
