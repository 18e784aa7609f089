#include "optim/optimizer.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "core/error.h"

namespace fastcnn {

// Applies the pieces of one parameter's gradient.
class Optimizer::Pieces final : public GradientPieces {
 public:
  explicit Pieces(const Backend& backend) : backend_(backend) {}

  // Null: the pieces that come are nobody's.
  void begin(const ParameterStep* step) {
    is_wanted_ = step != nullptr;
    if (is_wanted_) step_ = *step;
  }
  void take(const GradientPiece& piece) override {
    if (is_wanted_) backend_.update_piece(step_, piece);
  }
  void end() {
    if (is_wanted_) backend_.finish_pieces(step_);
  }

 private:
  const Backend& backend_;
  ParameterStep step_{};
  bool is_wanted_ = false;
};

Optimizer::Optimizer(const ParameterGroups& groups, BackendPtr backend)
    : backend_(std::move(backend)), stream_(backend_->make_stream()), pieces_(std::make_unique<Pieces>(*backend_)) {
  for (std::size_t group = 0; group < groups.size(); ++group) {
    for (const ParameterPtr& parameter : groups[group]) {
      const DType dtype = parameter->value.spec().dtype;
      if (!is_floating(dtype))
        throw DTypeError(std::string("optimizer: expected floating-point parameters, got ") + name_of(dtype));
      if (std::ranges::find(slots_, parameter, &Slot::parameter) != slots_.end())
        throw ValueError("optimizer: a parameter was given twice");
      slots_.push_back({.parameter = parameter, .group = group});
    }
  }
}

Optimizer::Optimizer(Optimizer&&) noexcept = default;
Optimizer::~Optimizer() = default;

Optimizer::Slot& Optimizer::slot(std::size_t index) {
  if (index < slots_.size()) return slots_[index];
  throw ValueError("no parameter " + std::to_string(index) + ", there are " + std::to_string(slots_.size()));
}

std::size_t Optimizer::state_bytes() const {
  std::size_t bytes = 0;
  for (const Slot& slot : slots_)
    for (std::size_t i = 0; i < slot.state.size(); ++i)
      if (slot.parameter->requires_grad && uses_state(slot, i)) bytes += slot.parameter->value.spec().bytes();
  return bytes;
}

ParameterStep Optimizer::begin(Slot& slot, ConstView gradient) {
  const Spec& spec = slot.parameter->value.spec();
  ++slot.parameter->version;
  ++slot.steps;
  ParameterStep step{.rule = rule_of(slot), .value = slot.parameter->value.view(), .state = {}, .gradient = gradient};
  for (std::size_t i = 0; i < slot.state.size(); ++i) {
    if (!uses_state(slot, i)) continue;
    if (!slot.state[i]) {
      slot.state[i] = Tensor(spec);
      if (const double initial = initial_state(slot); initial != 0) backend_->fill(slot.state[i].view(), initial, *stream_);
    }
    step.state[i] = slot.state[i].view();
  }
  return step;
}

void Optimizer::step() {
  for (const Slot& slot : slots_) {
    if (!slot.parameter->has_grad) continue;
    check(slot);
    const Spec &spec = slot.parameter->value.spec(), &gradient = slot.parameter->grad.spec();
    if (gradient != spec)
      throw ShapeError("optimizer: gradient has shape " + gradient.shape.str() + " and type " +
                       name_of(gradient.dtype) + ", its parameter " + spec.shape.str() + " and " + name_of(spec.dtype));
  }
  pending_.clear();
  for (Slot& slot : slots_)
    if (slot.parameter->has_grad) pending_.push_back(begin(slot, slot.parameter->grad.view()));
  backend_->update(pending_, *stream_);
}

void Optimizer::begin_step(const Graph& graph) {
  for (const Slot& slot : slots_) check(slot);
  const auto is_known = [](const GraphParameter& p, const Parameter* known) { return p.parameter.get() == known; };
  if (std::ranges::equal(graph.parameters(), graph_parameters_, is_known)) return;
  std::unordered_map<const Parameter*, Slot*> slots;
  for (Slot& slot : slots_) slots.emplace(slot.parameter.get(), &slot);
  of_graph_.clear();
  graph_parameters_.clear();
  for (const GraphParameter& p : graph.parameters()) {
    graph_parameters_.push_back(p.parameter.get());
    const auto found = slots.find(p.parameter.get());
    of_graph_.push_back(found != slots.end() ? found->second : nullptr);
  }
}

void Optimizer::zero_grad() {
  for (const Slot& slot : slots_) slot.parameter->has_grad = false;
}

void Optimizer::apply(std::size_t parameter, ConstView gradient) {
  Slot* const slot = slot_of(parameter);
  if (slot == nullptr) return;
  const ParameterStep step = begin(*slot, gradient);
  backend_->update({&step, 1}, *stream_);
}

GradientPieces& Optimizer::begin_pieces(std::size_t parameter) {
  Slot* const slot = slot_of(parameter);
  if (slot != nullptr) {
    const ParameterStep step = begin(*slot, {});
    pieces_->begin(&step);
  } else {
    pieces_->begin(nullptr);
  }
  return *pieces_;
}

void Optimizer::end_pieces() { pieces_->end(); }

}  // namespace fastcnn
