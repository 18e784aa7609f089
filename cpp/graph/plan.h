// A Plan is everything decided before running: steps, and where each step's operands lie.
// Making one is pure; it is made once per graph and mode, and shared by executors.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/passes/passes.h"

namespace fastcnn {

// Where an operand lies.
struct Place {
  enum class Where { nowhere, arena, parameter, parameter_grad };
  Where where = Where::nowhere;
  std::size_t at = 0;  // offset in the arena, or index of the parameter
  Spec spec;
};

struct Step {
  enum class Kind {
    forward,     // op of `node`: x -> y
    backward,    // op of `node`: dy -> dx
    accumulate,  // x[0] + x[1] -> y: gradients of a value with several readers
    copy,        // x[0] -> y
    zero,        // 0 -> y: gradient of a parameter no output depends on
  };
  Kind kind;
  int node = -1;  // into plan.graph().nodes()
  std::vector<Place> x;
  Place y;
  Place dy;
  std::vector<Place> dx;
  std::size_t saved = 0;  // offset in the arena, with saved_bytes
  std::size_t saved_bytes = 0;
};

class Plan {
 public:
  // Runs the passes, then lays out steps and memory. In training mode the backward steps follow the
  // forward ones: from the gradients of the seeded outputs to those of parameters and of inputs that
  // ask for theirs.
  Plan(const Graph& graph, Mode mode);

  Mode mode() const { return mode_; }
  const Graph& graph() const { return graph_; }  // after the passes
  const std::vector<Step>& forward_steps() const { return forward_; }
  const std::vector<Step>& backward_steps() const { return backward_; }
  const std::vector<Place>& inputs() const { return inputs_; }
  const std::vector<Place>& outputs() const { return outputs_; }
  const std::vector<Place>& output_grads() const { return output_grads_; }  // nowhere unless seeded
  const std::vector<Place>& input_grads() const { return input_grads_; }    // nowhere unless asked for

  std::size_t arena_bytes() const { return arena_bytes_; }
  ScratchSize scratch() const { return scratch_; }  // the largest of any step

  // One line per step: layer, op, algorithm and why, place in the arena.
  std::string explain() const;

 private:
  Mode mode_;
  Graph graph_;
  std::vector<Step> forward_;
  std::vector<Step> backward_;
  std::vector<Place> inputs_;
  std::vector<Place> outputs_;
  std::vector<Place> output_grads_;
  std::vector<Place> input_grads_;
  std::size_t arena_bytes_ = 0;
  ScratchSize scratch_;
};

}  // namespace fastcnn
