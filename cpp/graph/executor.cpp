#include "graph/executor.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "graph/error_context.h"

namespace fastcnn {

struct Executor::Bound {
  const Step* step;
  std::vector<ConstView> x{};
  std::vector<View> y{};
  std::vector<View> dy{};
  std::vector<View> dx{};
  std::byte* saved = nullptr;
  std::byte* scratch = nullptr;
  std::byte* statistics_of_x = nullptr;
  std::byte* statistics_of_y = nullptr;
  const std::byte* prepared = nullptr;
  std::vector<View> state{};  // x that the op updates
};

namespace {

template <class Items>
auto& checked(Items& items, int index, const char* what) {
  if (index < 0 || static_cast<std::size_t>(index) >= items.size()) {
    throw ValueError("no " + std::string(what) + " " + std::to_string(index) + ", there are " +
                     std::to_string(items.size()));
  }
  return items[static_cast<std::size_t>(index)];
}

}  // namespace

Executor::Executor(std::shared_ptr<const Plan> plan)
    : plan_(std::move(plan)), backend_(plan_->backend()), stream_(backend_.make_stream()) {
  run_.training = plan_->mode() == Mode::training;
  forward_ = bind(plan_->forward_steps());
  backward_ = bind(plan_->backward_steps());
  for (Bound& bound : forward_) {
    if (run_.training) {
      bind_state(bound);
    } else if (bound.step->kernel->memory().prepared > 0) {
      bind_prepared(bound);
    }
  }

  std::vector<bool> used(plan_->graph().parameters().size(), false);
  const auto note = [&](const std::vector<Place>& places, std::vector<View>& views) {
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (places[i].where != Place::Where::parameter_grad) continue;
      const std::size_t parameter = places[i].at;
      gradient_operands_.push_back({&views[i], parameter});
      if (!used[parameter]) gradient_parameters_.push_back(parameter);
      used[parameter] = true;
    }
  };
  for (Bound& bound : backward_) {
    note(bound.step->y, bound.y);
    note(bound.step->dx, bound.dx);
  }
}

Executor::~Executor() {
  release();
  if (announced_ > 0) backend_.arenas().retract(announced_);
}

// Binding. What lies in the arena gets its address whenever another arena is borrowed.

void* Executor::parameter_memory(const Place& place) const {
  if (place.where != Place::Where::parameter) return nullptr;
  return plan_->graph().parameters()[place.at].parameter->value.data();
}

std::vector<Executor::Bound> Executor::bind(const std::vector<Step>& steps) {
  std::vector<Bound> bound;
  bound.reserve(steps.size());  // operands are pointed to
  for (const Step& step : steps) {
    bound.push_back({.step = &step});
    bind(step, bound.back());
  }
  return bound;
}

void Executor::bind(const Step& step, Bound& bound) {
  const auto bind_places = [&](const std::vector<Place>& places, auto& views, auto& operands) {
    for (const Place& place : places) views.push_back({parameter_memory(place), place.spec});
    for (std::size_t i = 0; i < places.size(); ++i)
      if (places[i].where == Place::Where::arena) operands.push_back({&views[i], places[i].at});
  };
  bind_places(step.x, bound.x, arena_inputs_);
  bind_places(step.y, bound.y, arena_views_);
  bind_places(step.dy, bound.dy, arena_views_);
  bind_places(step.dx, bound.dx, arena_views_);
  const auto bind_range = [&](const ArenaRange& range, std::byte*& pointer) {
    if (range.bytes > 0) arena_ranges_.push_back({&pointer, range.offset});
  };
  bind_range(step.saved, bound.saved);
  bind_range(step.scratch, bound.scratch);
  bind_range(step.statistics_of_x, bound.statistics_of_x);
  bind_range(step.statistics_of_y, bound.statistics_of_y);
}

void Executor::bind_state(Bound& bound) {
  const Op& op = *plan_->graph().nodes()[static_cast<std::size_t>(bound.step->node)].op;
  for (std::size_t i = 0; i < bound.step->x.size(); ++i) {
    const Place& place = bound.step->x[i];
    const bool updated = place.where == Place::Where::parameter && op.updates(static_cast<int>(i));
    if (updated) updated_.push_back(plan_->graph().parameters()[place.at].parameter.get());
    bound.state.push_back({updated ? parameter_memory(place) : nullptr, place.spec});
  }
}

void Executor::bind_prepared(Bound& bound) {
  std::vector<const Parameter*> parameters;
  for (const Place& place : bound.step->x) {
    const bool is_parameter = place.where == Place::Where::parameter;
    parameters.push_back(is_parameter ? plan_->graph().parameters()[place.at].parameter.get() : nullptr);
  }
  prepared_.push_back({&bound, PreparedParameters(backend_, *bound.step->kernel, bound.x, std::move(parameters))});
}

void Executor::acquire() {
  const int workers = backend_.workers();
  if (arena_.data != nullptr) return;  // with values in it: scratch for more workers waits for the next one
  const std::size_t stride = align_up(plan_->scratch().per_thread);
  const std::size_t bytes = align_up(plan_->arena_bytes()) + stride * static_cast<std::size_t>(workers);
  if (bytes != announced_) {
    backend_.arenas().announce(bytes);
    if (announced_ > 0) backend_.arenas().retract(announced_);
    announced_ = bytes;
  }
  arena_ = backend_.arenas().take(bytes, bound_to_);
  workers_ = stride == 0 ? max_threads : workers;
  if (arena_.data.get() == bound_to_) return;
  std::byte* const base = arena_.data.get();
  for (const auto& operand : arena_inputs_) operand.target->data = base + operand.offset;
  for (const auto& operand : arena_views_) operand.target->data = base + operand.offset;
  for (const auto& operand : arena_ranges_) *operand.target = base + operand.offset;
  bound_to_ = base;
}

void Executor::release() {
  awaits_backward_ = false;
  if (arena_.data != nullptr) backend_.arenas().give_back(std::exchange(arena_, {}));
}

View Executor::view(const Place& place) const {
  if (place.where != Place::Where::arena) return {parameter_memory(place), place.spec};
  if (arena_.data == nullptr) throw Error("this executor holds no values: it hasn't run, or was released");
  return {arena_.data.get() + place.at, place.spec};
}

// Values

void Executor::set_input(int index, const StridedArray& array) {
  const View destination = input(index);
  try {
    copy_in(array, destination);
  } catch (const Error&) {
    rethrow_with([&](const Error& error) {
      return "input " + plan_->graph().inputs()[static_cast<std::size_t>(index)].name + ": " + error.what();
    });
  }
}

View Executor::input(int index) {
  const Place& place = checked(plan_->inputs(), index, "input");
  acquire();
  return view(place);
}

ConstView Executor::output(int index) const { return view(checked(plan_->outputs(), index, "output")); }

bool Executor::is_loss_finite() const {
  const std::vector<GraphOutput>& outputs = plan_->graph().outputs();
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (outputs[i].seeded && !backend_.is_finite(output(static_cast<int>(i)), *stream_)) return false;
  return true;
}

View Executor::output_grad(int index) {
  const Place& place = checked(plan_->output_grads(), index, "output with a gradient");
  if (!place) throw ValueError("output " + std::to_string(index) + " is not seeded");
  return view(place);
}

void Executor::fill_output_grads(double value) {
  for (const Place& place : plan_->output_grads())
    if (place) backend_.fill(view(place), value, *stream_);
}

ConstView Executor::input_grad(int index) const {
  const Place& place = checked(plan_->input_grads(), index, "input with a gradient");
  if (!place) {
    throw ValueError("input " + plan_->graph().inputs()[static_cast<std::size_t>(index)].name +
                     " didn't ask for its gradient");
  }
  return view(place);
}

// Runs

void Executor::forward(RandomState random) {
  awaits_backward_ = false;
  run_.random = random;
  acquire();
  prepare_parameters();
  run(forward_, 0);
  for (Parameter* parameter : updated_) ++parameter->version;
  awaits_backward_ = run_.training;
}

void Executor::backward() {
  start_backward(Gradients::in_parameters);
  bind_gradients();
  run(backward_, forward_.size());
  add_to_held_gradients();
}

void Executor::backward(ParameterUpdate& update) {
  start_backward(Gradients::applied);
  update_ = &update;
  run(backward_, forward_.size());
}

void Executor::start_backward(Gradients gradients) {
  if (!awaits_backward_) {
    throw Error(run_.training ? "backward: there must be a forward pass before each backward pass"
                              : "backward: this plan is for inference");
  }
  if (gradients != plan_->gradients()) {
    throw Error(gradients == Gradients::applied ? "backward: this plan leaves gradients in their parameters"
                                                : "backward: this plan applies gradients, it needs an update");
  }
  awaits_backward_ = false;
}

// Where a parameter holds a gradient already, the steps write to a tensor aside, which is added in the
// end: one more pass over memory, for gradient accumulation alone.
void Executor::bind_gradients() {
  const auto& parameters = plan_->graph().parameters();
  added_.resize(parameters.size());
  for (const std::size_t p : gradient_parameters_) {
    Parameter& parameter = *parameters[p].parameter;
    if (!parameter.grad) parameter.grad = Tensor(parameter.value.spec());
    if (parameter.has_grad && !added_[p]) added_[p] = Tensor(parameter.value.spec());
  }
  for (const GradientOperand& operand : gradient_operands_) {
    const Parameter& parameter = *parameters[operand.parameter].parameter;
    operand.view->data = parameter.has_grad ? added_[operand.parameter].data() : parameter.grad.data();
  }
}

void Executor::add_to_held_gradients() {
  for (const std::size_t p : gradient_parameters_) {
    Parameter& parameter = *plan_->graph().parameters()[p].parameter;
    if (parameter.has_grad) backend_.accumulate(added_[p].view(), parameter.grad.view(), *stream_);
    parameter.has_grad = true;
  }
}

void Executor::set_timing(bool on) {
  timing_ = on;
  const std::size_t steps = on ? forward_.size() + backward_.size() : 0;
  step_seconds_.assign(steps, 0.0);
  step_calls_.assign(steps, {});
}

void Executor::prepare_parameters() {
  for (Prepared& prepared : prepared_) prepared.step->prepared = prepared.parameters.update(*stream_);
}

void Executor::run(const std::vector<Bound>& steps, std::size_t first) {
  const auto body = [this, &steps, first] { run_steps(steps, first); };
  backend_.run(workers_, std::ref(body));
}

void Executor::run_steps(const std::vector<Bound>& steps, std::size_t first) {
  using Clock = std::chrono::steady_clock;
  std::optional<ParallelRecorder> recorder;
  if (timing_) recorder.emplace();
  for (const Bound& bound : steps) {
    const Clock::time_point start = timing_ ? Clock::now() : Clock::time_point();
    try {
      run(bound);
    } catch (const Error&) {
      rethrow_with([&](const Error& error) { return plan_->step_name(*bound.step) + ": " + error.what(); });
    }
    if (timing_) {
      stream_->synchronize();
      const std::size_t index = first + static_cast<std::size_t>(&bound - steps.data());
      step_seconds_[index] = std::chrono::duration<double>(Clock::now() - start).count();
      step_calls_[index] = recorder->take();
    }
  }
  stream_->synchronize();
}

void Executor::run(const Bound& bound) const {
  switch (bound.step->kind) {
    case Step::Kind::forward:
    case Step::Kind::recompute:
    case Step::Kind::backward: run_kernel(bound); break;
    case Step::Kind::accumulate: backend_.accumulate(bound.x[0], bound.y[0], *stream_); break;
    case Step::Kind::copy: backend_.copy(bound.y[0].data, bound.x[0].data, bound.y[0].spec.bytes(), *stream_); break;
    case Step::Kind::zero: backend_.fill(bound.y[0], 0, *stream_); break;
    case Step::Kind::update: update_->apply(bound.step->y[0].at, bound.x[0]); break;
  }
}

void Executor::run_kernel(const Bound& bound) const {
  const int parameter = bound.step->updates;
  std::byte* const per_thread = arena_.data.get() + align_up(plan_->arena_bytes());
  bound.step->kernel->run(
      {.x = bound.x,
       .y = bound.y,
       .saved = bound.saved,
       .dy = bound.dy,
       .dx = bound.dx,
       .scratch = Scratch(bound.scratch, per_thread, align_up(plan_->scratch().per_thread)),
       .run = &run_,
       .prepared = bound.prepared,
       .state = bound.state,
       .statistics_of_x = bound.statistics_of_x,
       .statistics_of_y = bound.statistics_of_y,
       .pieces = parameter < 0 ? nullptr : &update_->begin_pieces(static_cast<std::size_t>(parameter))},
      *stream_);
  if (parameter >= 0) update_->end_pieces();
}

}  // namespace fastcnn
