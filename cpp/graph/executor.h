// Runs a Plan: a loop over its steps, allocating nothing after the first run. One executor holds one
// run's values, so a forward pass that awaits its backward pass keeps its executor. Between runs its working memory may
// be lent to others. Not for use by two threads at once.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "core/strided_array.h"
#include "core/thread_pool.h"
#include "graph/arena_pool.h"
#include "graph/parameter_update.h"
#include "graph/plan.h"
#include "graph/prepared_parameters.h"

namespace fastcnn {

class Executor {
 public:
  explicit Executor(std::shared_ptr<const Plan> plan);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  const Plan& plan() const { return *plan_; }

  // Inputs keep their values until they are set again, or until release(). Throws ShapeError naming the input.
  void set_input(int index, const StridedArray& array);
  View input(int index);  // to be written in place, in storage order

  // An error of an op comes out with the layer's name in front.
  void forward(RandomState random);
  // Holds from forward to the next forward.
  ConstView output(int index) const;
  // Whether all that backward starts from, the seeded outputs, are finite.
  bool is_loss_finite() const;

  // To be filled between forward and backward: the gradient of a seeded output.
  View output_grad(int index);
  void fill_output_grads(double value);
  // Writes parameter gradients, or adds to them where has_grad says that they hold one already. Once
  // per forward: it uses up what forward kept. Throws Error out of turn. A plan that applies gradients takes
  // the update that does it; Parameter::grad and has_grad stay as they are.
  void backward();
  void backward(ParameterUpdate& update);
  // Holds from backward to the next forward. Throws ValueError for an input that didn't ask for it.
  ConstView input_grad(int index) const;

  // Gives the working memory back to the device's pool, and with it all values; the next run borrows it again.
  void release();

  // Seconds per step of the last run, when timing is on: forward steps, then backward steps.
  void set_timing(bool on);
  const std::vector<double>& step_seconds() const { return step_seconds_; }
  // With timing: the calls of parallel_for in each of these steps.
  const std::vector<std::vector<ParallelCall>>& step_calls() const { return step_calls_; }

 private:
  // One step with its operands resolved to addresses.
  struct Bound;
  // What is to point into the arena, when there is one.
  template <class Target>
  struct ArenaOperand {
    Target* target;
    std::size_t offset;
  };
  // An operand of a step that lies in a parameter's gradient, which is made at the first backward pass.
  struct GradientOperand {
    View* view;
    std::size_t parameter;
  };
  // What the kernel of a forward step made of its parameters.
  struct Prepared {
    Bound* step;
    PreparedParameters parameters;
  };

  void bind(const Step& step, Bound& bound);
  void bind_state(Bound& bound);
  void bind_prepared(Bound& bound);
  std::vector<Bound> bind(const std::vector<Step>& steps);
  void* parameter_memory(const Place& place) const;
  View view(const Place& place) const;

  // Borrows the arena, with scratch for as many workers as the backend has now.
  void acquire();
  void start_backward(Gradients gradients);
  void bind_gradients();
  void add_to_held_gradients();
  void prepare_parameters();
  void run(const Bound& bound) const;
  void run_kernel(const Bound& bound) const;
  void run(const std::vector<Bound>& steps, std::size_t first);  // `first`: its index among all steps
  void run_steps(const std::vector<Bound>& steps, std::size_t first);

  std::shared_ptr<const Plan> plan_;
  const Backend& backend_;
  std::unique_ptr<Stream> stream_;
  Arena arena_;                          // none between release() and the next run
  const std::byte* bound_to_ = nullptr;  // the arena that operands point into
  std::size_t announced_ = 0;            // bytes, to the pool
  int workers_ = 0;                      // for which the arena has scratch
  std::vector<Bound> forward_;
  std::vector<Bound> backward_;
  std::vector<ArenaOperand<ConstView>> arena_inputs_;
  std::vector<ArenaOperand<View>> arena_views_;
  std::vector<ArenaOperand<std::byte*>> arena_ranges_;
  std::vector<Prepared> prepared_;   // at inference
  std::vector<Parameter*> updated_;  // by forward in training: Op::updates
  std::vector<GradientOperand> gradient_operands_;
  std::vector<std::size_t> gradient_parameters_;  // those whose gradient the plan computes
  std::vector<Tensor> added_;  // per parameter: this pass's gradient, where it adds to one that is held
  RunContext run_;
  ParameterUpdate* update_ = nullptr;  // during backward
  bool awaits_backward_ = false;
  bool timing_ = false;
  std::vector<double> step_seconds_;
  std::vector<std::vector<ParallelCall>> step_calls_;
};

}  // namespace fastcnn
