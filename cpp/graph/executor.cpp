#include "graph/executor.h"

#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "core/thread_pool.h"
#include "cpu/kernels.h"
#include "graph/error_context.h"
#include "ops/parallel.h"

namespace fastcnn {

struct Executor::Bound {
  const Step* step;
  const Op* op;
  std::vector<ConstView> x;
  View y;
  View dy;
  std::vector<View> dx;
  std::byte* saved;
  std::byte* scratch;
  const std::byte* moments_of_x;
  std::byte* moments_of_y;
  const std::byte* prepared = nullptr;
  std::vector<View> state{};  // x that the op updates
};

struct Executor::Prepared {
  Bound* step;
  std::size_t bytes;
  std::vector<const Parameter*> parameters;
  Buffer data{};
  std::uint64_t version = 0;  // sum over the parameters
  bool current = false;
};

namespace {

// y += x.
void accumulate(ConstView x, View y) {
  dispatch_floating(y.spec.dtype, [&]<class T>() {
    const T* source = x.as<T>();
    T* sum = y.as<T>();
    parallel_ranges(y.spec.shape.numel(), 3 * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
      kernels<T>().add(sum + begin, source + begin, sum + begin, end - begin);
    });
  });
}

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
    : plan_(std::move(plan)), arena_(allocate(plan_->arena_bytes())) {
  run_.training = plan_->mode() == Mode::training;
  for (const Step& step : plan_->forward_steps()) forward_.push_back(bind(step));
  for (const Step& step : plan_->backward_steps()) backward_.push_back(bind(step));
  for (Bound& bound : forward_) {
    if (run_.training) {
      bind_state(bound);
    } else if (bound.step->prepared_bytes > 0) {
      prepared_.push_back({&bound, bound.step->prepared_bytes, parameters_of(bound)});
    }
  }

  std::vector<bool> used(plan_->graph().parameters().size(), false);
  const auto note = [&](const Place& place, View& view) {
    if (place.where != Place::Where::parameter_grad) return;
    gradient_operands_.push_back({&view, place.at});
    if (!used[place.at]) gradient_parameters_.push_back(place.at);
    used[place.at] = true;
  };
  for (Bound& bound : backward_) {
    note(bound.step->y, bound.y);
    for (std::size_t i = 0; i < bound.dx.size(); ++i) note(bound.step->dx[i], bound.dx[i]);
  }
}

Executor::~Executor() = default;

void* Executor::address(const Place& place) const {
  switch (place.where) {
    case Place::Where::arena: return arena_.get() + place.at;
    case Place::Where::parameter: return plan_->graph().parameters()[place.at].parameter->value.data();
    case Place::Where::parameter_grad:
    case Place::Where::nowhere: break;
  }
  return nullptr;
}

Executor::Bound Executor::bind(const Step& step) const {
  const auto view = [&](const Place& place) { return View{address(place), place.spec}; };
  const auto range = [&](const ArenaRange& r) { return r.bytes > 0 ? arena_.get() + r.offset : nullptr; };
  Bound bound{.step = &step,
              .op = step.node < 0 ? nullptr : plan_->graph().nodes()[static_cast<std::size_t>(step.node)].op.get(),
              .x = {},
              .y = view(step.y),
              .dy = view(step.dy),
              .dx = {},
              .saved = range(step.saved),
              .scratch = range(step.scratch),
              .moments_of_x = range(step.moments_of_x),
              .moments_of_y = range(step.moments_of_y)};
  for (const Place& place : step.x) bound.x.push_back(view(place));
  for (const Place& place : step.dx) bound.dx.push_back(view(place));
  return bound;
}

std::vector<const Parameter*> Executor::parameters_of(const Bound& bound) const {
  std::vector<const Parameter*> parameters;
  for (const Place& place : bound.step->x) {
    if (place.where == Place::Where::parameter) {
      parameters.push_back(plan_->graph().parameters()[place.at].parameter.get());
    }
  }
  return parameters;
}

void Executor::bind_state(Bound& bound) {
  for (std::size_t i = 0; i < bound.step->x.size(); ++i) {
    const Place& place = bound.step->x[i];
    const bool updated = place.where == Place::Where::parameter && bound.op->updates(static_cast<int>(i));
    if (updated) updated_.push_back(plan_->graph().parameters()[place.at].parameter.get());
    bound.state.push_back(updated ? View{address(place), place.spec} : View{.data = nullptr, .spec = place.spec});
  }
}

void Executor::set_input(int index, const StridedArray& array) {
  const View destination = input(index);
  try {
    copy_in(array, destination);
  } catch (const Error&) {
    rethrow_with([&](const std::string& what) {
      return "input " + plan_->graph().inputs()[static_cast<std::size_t>(index)].name + ": " + what;
    });
  }
}

View Executor::input(int index) {
  const Place& place = checked(plan_->inputs(), index, "input");
  return {address(place), place.spec};
}

ConstView Executor::output(int index) const {
  const Place& place = checked(plan_->outputs(), index, "output");
  return {address(place), place.spec};
}

View Executor::output_grad(int index) {
  const Place& place = checked(plan_->output_grads(), index, "output with a gradient");
  if (!place) throw ValueError("output " + std::to_string(index) + " is not seeded");
  return {address(place), place.spec};
}

ConstView Executor::input_grad(int index) const {
  const Place& place = checked(plan_->input_grads(), index, "input with a gradient");
  if (!place) {
    throw ValueError("input " + plan_->graph().inputs()[static_cast<std::size_t>(index)].name +
                     " didn't ask for its gradient");
  }
  return {address(place), place.spec};
}

void Executor::forward(RandomState random) {
  awaits_backward_ = false;
  run_.random = random;
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
    if (parameter.has_grad) accumulate(added_[p].view(), parameter.grad.view());
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
  for (Prepared& prepared : prepared_) {
    std::uint64_t version = 0;
    bool may_change = false;
    for (const Parameter* parameter : prepared.parameters) {
      version += parameter->version;
      may_change = may_change || parameter->writers > 0;
    }
    if (prepared.current && prepared.version == version && !may_change) continue;
    prepared.current = false;
    if (!prepared.data) prepared.data = allocate(prepared.bytes);
    std::vector<ConstView> x;
    for (std::size_t i = 0; i < prepared.step->x.size(); ++i) {
      const ConstView& view = prepared.step->x[i];
      const bool is_parameter = prepared.step->step->x[i].where == Place::Where::parameter;
      x.push_back({is_parameter ? view.data : nullptr, view.spec});
    }
    prepared.step->op->prepare(x, prepared.data.get());
    prepared.step->prepared = prepared.data.get();
    prepared.version = version;
    prepared.current = !may_change;
  }
}

void Executor::reserve_per_thread_scratch() {
  const std::size_t stride = align_up(plan_->scratch().per_thread);
  if (stride == 0) {
    per_thread_count_ = max_threads;
    return;
  }
  const int threads = thread_count();
  if (threads <= per_thread_count_) return;
  per_thread_ = allocate(stride * static_cast<std::size_t>(threads));
  per_thread_count_ = threads;
}

void Executor::run(const std::vector<Bound>& steps, std::size_t first) {
  using Clock = std::chrono::steady_clock;
  std::optional<ParallelRecorder> recorder;
  if (timing_) recorder.emplace();
  reserve_per_thread_scratch();
  const ThreadLimit limit(per_thread_count_);
  const FlushDenormals flush;
  for (const Bound& bound : steps) {
    const Clock::time_point start = timing_ ? Clock::now() : Clock::time_point();
    try {
      run(bound);
    } catch (const Error&) {
      rethrow_with([&](const std::string& what) { return plan_->step_name(*bound.step) + ": " + what; });
    }
    if (timing_) {
      const std::size_t index = first + static_cast<std::size_t>(&bound - steps.data());
      step_seconds_[index] = std::chrono::duration<double>(Clock::now() - start).count();
      step_calls_[index] = recorder->take();
    }
  }
}

void Executor::run(const Bound& bound) const {
  const Scratch scratch(bound.scratch, per_thread_.get(), align_up(plan_->scratch().per_thread));
  switch (bound.step->kind) {
    case Step::Kind::forward:
      bound.op->forward({bound.x, bound.y, bound.saved, scratch, &run_, bound.prepared, bound.state,
                         bound.moments_of_x, bound.moments_of_y});
      break;
    case Step::Kind::recompute:
      bound.op->recompute({bound.x, bound.y, bound.saved, scratch, &run_});
      break;
    case Step::Kind::backward: run_backward(bound, scratch); break;
    case Step::Kind::accumulate: accumulate(bound.x[0], bound.y); break;
    case Step::Kind::copy: std::memcpy(bound.y.data, bound.x[0].data, bound.y.spec.bytes()); break;
    case Step::Kind::zero: std::memset(bound.y.data, 0, bound.y.spec.bytes()); break;
    case Step::Kind::update: update_->apply(bound.step->y.at, bound.x[0]); break;
  }
}

void Executor::run_backward(const Bound& bound, const Scratch& scratch) const {
  const int parameter = bound.step->updates;
  GradientPieces* const pieces = parameter < 0 ? nullptr : &update_->begin(static_cast<std::size_t>(parameter));
  bound.op->backward({bound.x, bound.y, bound.saved, bound.dy, bound.dx, scratch, &run_, pieces});
  if (pieces != nullptr) update_->end();
}

}  // namespace fastcnn
