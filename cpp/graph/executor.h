// Runs a Plan: a loop over its steps, allocating nothing. One executor holds one run's values, so a
// forward pass that awaits its backward pass keeps its executor.
#pragma once

#include <memory>
#include <vector>

#include "core/allocator.h"
#include "core/layout.h"
#include "graph/plan.h"

namespace fastcnn {

class Executor {
 public:
  explicit Executor(std::shared_ptr<const Plan> plan);

  const Plan& plan() const { return *plan_; }

  void set_input(int index, const StridedArray& array);  // throws ShapeError naming the input
  void forward(RandomState random);
  ConstView output(int index) const;

  // To be filled before backward: the gradient of a seeded output.
  View output_grad(int index);
  // Writes parameter gradients, or adds to them where has_grad says that they hold one already.
  void backward();
  ConstView input_grad(int index) const;

  // Seconds per step of the last run, when timing is on: forward steps, then backward steps.
  void set_timing(bool on);
  const std::vector<double>& step_seconds() const { return step_seconds_; }

 private:
  // Operands of one step, resolved to addresses once.
  struct Bound;

  std::shared_ptr<const Plan> plan_;
  Buffer arena_;
  Buffer per_thread_;
  std::vector<double> step_seconds_;
};

}  // namespace fastcnn
