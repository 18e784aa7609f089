// How a plan comes about; for plan.cpp alone. Steps are laid out over numbered blocks of memory first;
// when all of them stand, each block's lifetime is known and the blocks get offsets in the arena.
#pragma once

#include <memory>
#include <vector>

#include "graph/gradient_flow.h"
#include "graph/memory_plan.h"
#include "graph/plan.h"
#include "graph/recomputation.h"

namespace fastcnn {

class PlanBuilder {
 public:
  PlanBuilder(const Graph& graph, Mode mode, const Backend& backend, Gradients gradients, Recomputed recomputed);

  PlanLayout build();

 private:
  void lay_out_inputs();
  void lay_out_forward();
  void lay_out_outputs();
  void lay_out_backward();  // backward_plan.cpp, with all that follows it
  void place_blocks();

  // While building, Place::at and ArenaRange::offset of what lies in the arena are numbers of blocks.
  Place new_block(const Spec& spec);
  ArenaRange new_range(std::size_t bytes);
  ArenaRange new_scratch(const Kernel& kernel);
  // Throws UnsupportedError where the backend has none, naming the layer as all that making it throws.
  std::shared_ptr<const Kernel> make_kernel(const Node& node, Pass pass) const;
  std::shared_ptr<const Kernel> make_forward_kernel(const Node& node) const;

  // Values that must stay as they are when their last reader in the forward pass has run.
  std::vector<bool> find_kept_values() const;
  std::vector<bool> find_fixed_values() const;  // those of them that the caller or the model holds
  void drop_values();
  bool can_run_in_place(const Node& node, const Kernel& kernel) const;
  std::vector<bool> find_wanted_statistics() const;

  void seed_gradients();
  // Before a backward step reads it: a value that was dropped is made again, and what that takes before it.
  void restore(ValueId value);
  void lay_out_backward(std::size_t node);
  // Where a node's backward step puts its gradient of input `i`.
  Place gradient_place(const Node& node, std::size_t i, const Step& step);
  // The parameter whose gradient a node's backward step can apply in pieces, since nobody else reads the
  // parameter; -1: none.
  int updated_by(const Node& node, const Kernel& kernel) const;
  // Adds `piece` to the gradient of a value.
  void contribute(ValueId value, const Place& piece);
  void finish_gradients();
  void lay_out_updates();

  const Place& place(ValueId value) const { return places_[static_cast<std::size_t>(value)]; }

  const Graph& graph_;
  const Mode mode_;
  const Backend& backend_;
  const Gradients parameter_gradients_;
  const Recomputed recomputed_;
  const GradientFlow flow_;
  PlanLayout layout_;
  std::vector<Lifetime> blocks_;
  std::vector<std::shared_ptr<const Kernel>> forward_kernels_;  // of each node
  std::vector<Place> places_;          // of each value
  std::vector<bool> kept_;             // of each value: find_kept_values(), less what is dropped
  std::vector<bool> absent_;           // of each value, in the backward pass: neither kept nor made again yet
  std::vector<int> unread_;            // of each value: readers in the forward pass that have not run yet
  std::vector<ArenaRange> saved_;      // of each node
  std::vector<ArenaRange> statistics_; // of each value
  std::vector<Place> gradients_;       // of each value: the sum of what has been contributed so far
  std::vector<bool> has_gradient_place_;  // of each parameter: a step writes the place of its gradient
  std::vector<bool> is_updated_;          // of each parameter: a backward step does it in pieces
};

}  // namespace fastcnn
