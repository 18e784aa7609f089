#include "optim/sgd.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/ceil_div.h"
#include "core/error.h"
#include "core/thread_pool.h"
#include "backend/cpu/kernels.h"

namespace fastcnn {
namespace {

constexpr std::int64_t piece = 16 * 1024;  // elements of one task

// A slot to update, its gradient, and the first of its tasks.
struct Pending {
  const SgdSlot* slot;
  const SgdSettings* settings;
  const void* gradient;
  std::int64_t first_task;
};

void check_group(const SgdSlot& slot, std::span<const SgdSettings> groups) {
  if (slot.group < 0 || static_cast<std::size_t>(slot.group) >= groups.size()) {
    throw ValueError("sgd: parameter of group " + std::to_string(slot.group) + ", but there are " +
                     std::to_string(groups.size()) + " groups");
  }
  const Shape& shape = slot.parameter->value.spec().shape;
  const bool has_rows = shape.rank() >= 2 && shape.rank() <= 4;
  if (groups[static_cast<std::size_t>(slot.group)].filter_norm != 0 && !has_rows) {
    throw ShapeError("sgd: filter_norm needs weights of filters or units, (c_out, ...) of rank 2 to 4, got shape " +
                     shape.str());
  }
}

void check(const SgdSlot& slot, std::span<const SgdSettings> groups, const Spec& gradient) {
  const Parameter& parameter = *slot.parameter;
  check_group(slot, groups);
  if (gradient != parameter.value.spec()) {
    throw ShapeError("sgd: gradient has shape " + gradient.shape.str() + " and type " +
                     name_of(gradient.dtype) + ", its parameter " +
                     parameter.value.spec().shape.str() + " and " + name_of(parameter.value.spec().dtype));
  }
  if (!is_floating(parameter.value.spec().dtype)) {
    throw DTypeError("sgd: expected a float32 or float64 parameter, got int64");
  }
}

// Elements [begin, begin + count) of a parameter, by the gradient of these.
template <class T>
void update(const SgdSlot& slot, const SgdSettings& settings, const T* gradient, std::int64_t begin,
            std::int64_t count) {
  const SgdUpdate<T> step{.lr = static_cast<T>(settings.lr),
                          .momentum = static_cast<T>(settings.momentum),
                          .weight_decay = static_cast<T>(settings.weight_decay),
                          .nesterov = settings.nesterov,
                          .lr_in_velocity = settings.lr_in_velocity};
  T* v = settings.momentum != 0 ? slot.velocity.view().as<T>() + begin : nullptr;
  kernels<T>().sgd(step, gradient, v, slot.parameter->value.view().as<T>() + begin, count);
}

std::int64_t task_count(const Parameter& parameter) {
  return ceil_div(parameter.value.spec().shape.numel(), piece);
}

std::int64_t moved_bytes(const Parameter& parameter, const SgdSettings& settings) {
  return static_cast<std::int64_t>(parameter.value.spec().bytes()) * (settings.momentum != 0 ? 5 : 3);
}

const SgdSettings& begin_update(SgdSlot& slot, std::span<const SgdSettings> groups) {
  ++slot.parameter->version;
  const SgdSettings& settings = groups[static_cast<std::size_t>(slot.group)];
  if (settings.momentum != 0 && !slot.velocity) slot.velocity = Tensor(slot.parameter->value.spec());
  return settings;
}

void update_piece(const Pending& pending, std::int64_t task) {
  const Spec& spec = pending.slot->parameter->value.spec();
  const std::int64_t begin = (task - pending.first_task) * piece;
  const std::int64_t count = std::min(spec.shape.numel() - begin, piece);
  dispatch_floating(spec.dtype, [&]<class T>() {
    update(*pending.slot, *pending.settings, static_cast<const T*>(pending.gradient) + begin, begin, count);
  });
}

// Rows are contiguous in any storage: the first axis is the slowest.
template <class T>
void scale_rows(View w, double norm) {
  const std::int64_t rows = w.spec.shape[0];
  const std::int64_t cols = rows > 0 ? w.spec.shape.numel() / rows : 0;
  parallel_for(rows, 3 * cols * std::int64_t{sizeof(T)}, [&](std::int64_t i, int) {
    T* row = w.as<T>() + i * cols;
    double squares = 0;
    for (std::int64_t j = 0; j < cols; ++j) squares += static_cast<double>(row[j]) * static_cast<double>(row[j]);
    if (squares == 0) return;
    const T factor = static_cast<T>(norm / std::sqrt(squares));
    for (std::int64_t j = 0; j < cols; ++j) row[j] *= factor;
  });
}

void constrain(const SgdSlot& slot, const SgdSettings& settings) {
  if (settings.filter_norm == 0 || settings.lr == 0) return;
  const View w = slot.parameter->value.view();
  dispatch_floating(w.spec.dtype, [&]<class T>() { scale_rows<T>(w, settings.filter_norm); });
}

}  // namespace

// One loop over the pieces of all parameters: many small ones cost no more wake-ups than a large one.
void sgd_step(std::span<SgdSlot> slots, std::span<const SgdSettings> groups) {
  thread_local std::vector<Pending> kept;  // its memory serves the next step
  std::vector<Pending>& pending = kept;    // the caller's, also in tasks of other threads
  pending.clear();
  for (const SgdSlot& slot : slots) {
    if (slot.parameter->has_grad) check(slot, groups, slot.parameter->grad.spec());
  }
  std::int64_t tasks = 0;
  std::int64_t bytes = 0;
  for (SgdSlot& slot : slots) {
    const Parameter& parameter = *slot.parameter;
    if (!parameter.has_grad) continue;
    pending.push_back({&slot, &begin_update(slot, groups), parameter.grad.data(), tasks});
    tasks += task_count(parameter);
    bytes += moved_bytes(parameter, *pending.back().settings);
  }
  if (tasks == 0) return;

  parallel_for(tasks, bytes / tasks, [&](std::int64_t task, int) {
    const auto next = std::ranges::upper_bound(pending, task, {}, &Pending::first_task);
    update_piece(*(next - 1), task);
  });
  for (const Pending& p : pending) constrain(*p.slot, *p.settings);
}

void sgd_update(SgdSlot& slot, std::span<const SgdSettings> groups, ConstView gradient) {
  check(slot, groups, gradient.spec);
  const Pending pending{&slot, &begin_update(slot, groups), gradient.data, 0};
  const std::int64_t tasks = task_count(*slot.parameter);
  if (tasks == 0) return;
  parallel_for(tasks, moved_bytes(*slot.parameter, *pending.settings) / tasks,
               [&](std::int64_t task, int) { update_piece(pending, task); });
  constrain(slot, *pending.settings);
}

SgdInPieces::SgdInPieces(SgdSlot& slot, std::span<const SgdSettings> groups)
    : slot_(slot), settings_((check_group(slot, groups), begin_update(slot, groups))) {}

void SgdInPieces::update(const GradientPiece& piece) const {
  const Spec& spec = slot_.parameter->value.spec();
  const std::int64_t row_elements = spec.shape.numel() / spec.shape[0];
  dispatch_floating(spec.dtype, [&]<class T>() {
    const T* gradient = static_cast<const T*>(piece.data);
    for (std::int64_t i = 0; i < piece.rows; ++i) {
      const std::int64_t begin = (piece.row + i) * row_elements + piece.col;
      fastcnn::update(slot_, settings_, gradient + i * piece.ld, begin, piece.cols);
    }
  });
}

void SgdInPieces::finish() const { constrain(slot_, settings_); }

void check_groups(std::span<const SgdSlot> slots, std::span<const SgdSettings> groups) {
  for (const SgdSlot& slot : slots) check_group(slot, groups);
}

}  // namespace fastcnn
