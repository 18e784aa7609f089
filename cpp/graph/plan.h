// A Plan is everything decided before running: steps, the kernel of each, and where its operands lie.
// Making one is pure; it is made once per graph, mode and backend, and shared by executors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graph/backend.h"
#include "graph/graph.h"
#include "graph/passes/passes.h"

namespace fastcnn {

// Where an operand lies.
struct Place {
  enum class Where { nowhere, arena, parameter, parameter_grad };
  Where where = Where::nowhere;
  std::size_t at = 0;  // offset in the arena, or index of the parameter
  Spec spec;           // of the operand, also where it lies nowhere

  explicit operator bool() const { return where != Where::nowhere; }
};

// Raw bytes in the arena; none when `bytes` is 0.
struct ArenaRange {
  std::size_t offset = 0;
  std::size_t bytes = 0;
};

// What becomes of the gradients of parameters.
enum class Gradients {
  in_parameters,  // each stays in its Parameter::grad
  applied,        // each lies in the arena until it is complete; then a step updates its parameter
};

struct Step {
  enum class Kind {
    forward,     // op of `node`: x -> y
    recompute,   // op of `node` in the backward pass: x -> y once more, which was dropped
    backward,    // op of `node`: dy -> dx
    accumulate,  // y[0] += x[0]: gradients of a value with several readers
    copy,        // x[0] -> y[0]
    zero,        // 0 -> y[0]: gradient of what no seeded output depends on
    update,      // y[0], a parameter, changes by its gradient x[0]
  };
  Kind kind;
  int node = -1;                           // into plan.graph().nodes()
  std::shared_ptr<const Kernel> kernel{};  // of the steps that have a node
  std::vector<Place> x{};
  std::vector<Place> y{};
  std::vector<Place> dy{};  // of each output; nowhere where none arrives
  std::vector<Place> dx{};
  int updates = -1;  // in a backward step: the parameter that changes by its gradient, which comes in pieces
  ArenaRange saved{};    // written by forward for backward
  ArenaRange scratch{};  // shared scratch, of this step alone
  ArenaRange statistics_of_x{};  // in a forward step: of the batch, gathered by the one that made x[0]
  ArenaRange statistics_of_y{};  // in a forward step: gathered for those that read y[0]
  std::size_t alive_bytes = 0;   // in the arena during this step
};

// What a step has to compute and to move at the least.
struct StepCost {
  std::int64_t operations = 0;  // of the sums of products, two per multiply-add; what is elementwise counts by its bytes
  std::int64_t bytes = 0;       // of the operands, each read or written once; scratch not counted
};

// Steps and places, as Plan shows them.
struct PlanLayout {
  std::vector<Step> forward;
  std::vector<Step> backward;
  std::vector<Place> inputs;
  std::vector<Place> outputs;
  std::vector<Place> output_grads;
  std::vector<Place> input_grads;
  std::size_t arena_bytes = 0;
  std::size_t alive_bytes = 0;  // the most alive at any one time: no arena could be smaller
  std::size_t block_bytes = 0;  // what the arena would take if nothing shared memory
  ScratchSize scratch;
};

class Plan {
 public:
  // Runs the passes, then lays out steps and memory. In training mode the backward steps follow the
  // forward ones: from the gradients of the seeded outputs to those of parameters and of inputs that
  // ask for theirs. With Gradients::applied each parameter is updated among them, after the last step that
  // reads it. Throws UnsupportedError, naming the layer, for an op without a kernel, and what making a kernel throws.
  Plan(const Graph& graph, Mode mode, BackendPtr backend, Gradients gradients = Gradients::in_parameters);

  const Backend& backend() const { return *backend_; }
  Mode mode() const { return mode_; }
  Gradients gradients() const { return gradients_; }
  const Graph& graph() const { return graph_; }  // after the passes
  const std::vector<Step>& forward_steps() const { return layout_.forward; }
  const std::vector<Step>& backward_steps() const { return layout_.backward; }
  const std::vector<Place>& inputs() const { return layout_.inputs; }
  const std::vector<Place>& outputs() const { return layout_.outputs; }
  const std::vector<Place>& output_grads() const { return layout_.output_grads; }  // nowhere unless seeded
  const std::vector<Place>& input_grads() const { return layout_.input_grads; }    // nowhere unless asked for

  std::size_t arena_bytes() const { return layout_.arena_bytes; }
  std::size_t alive_bytes() const { return layout_.alive_bytes; }  // the most at any one time
  ScratchSize scratch() const { return layout_.scratch; }  // the largest of any step; the shared part lies in the arena
  // What Kernel::prepare makes of parameters, all steps together; 0 in training.
  std::size_t prepared_bytes() const;

  // The name of a step as tables show it: "conv1 + relu1", "conv1 backward", "sum of gradients",
  // "fc1 backward, fc1.weight update", "conv1.weight update".
  std::string step_name(const Step& step) const;
  StepCost cost(const Step& step) const;
  // One line per step: layer, op, shape, what is alive in the arena, place in the arena, algorithm and why.
  std::string explain() const;

 private:
  BackendPtr backend_;
  Mode mode_;
  Gradients gradients_;
  Graph graph_;
  PlanLayout layout_;
};

}  // namespace fastcnn
