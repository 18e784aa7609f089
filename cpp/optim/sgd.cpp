#include "optim/sgd.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "core/thread_pool.h"
#include "cpu/kernels.h"

namespace fastcnn {
namespace {

constexpr std::int64_t piece = 16 * 1024;  // elements of one task

// A slot to update and the first of its tasks.
struct Pending {
  const SgdSlot* slot;
  const SgdSettings* settings;
  std::int64_t first_task;
};

void check(const SgdSlot& slot, std::size_t groups) {
  const Parameter& parameter = *slot.parameter;
  if (slot.group < 0 || static_cast<std::size_t>(slot.group) >= groups) {
    throw ValueError("sgd: parameter of group " + std::to_string(slot.group) + ", but there are " +
                     std::to_string(groups) + " groups");
  }
  if (parameter.grad.spec() != parameter.value.spec()) {
    throw ShapeError("sgd: gradient has shape " + parameter.grad.spec().shape.str() + " and type " +
                     name_of(parameter.grad.spec().dtype) + ", its parameter " +
                     parameter.value.spec().shape.str() + " and " + name_of(parameter.value.spec().dtype));
  }
  if (!is_floating(parameter.value.spec().dtype)) {
    throw DTypeError("sgd: expected a float32 or float64 parameter, got int64");
  }
}

template <class T>
void update(const SgdSlot& slot, const SgdSettings& settings, std::int64_t begin, std::int64_t end) {
  const SgdUpdate<T> step{.lr = static_cast<T>(settings.lr),
                          .momentum = static_cast<T>(settings.momentum),
                          .weight_decay = static_cast<T>(settings.weight_decay),
                          .nesterov = settings.nesterov};
  const Parameter& parameter = *slot.parameter;
  T* v = settings.momentum != 0 ? slot.velocity.view().as<T>() + begin : nullptr;
  kernels<T>().sgd(step, parameter.grad.view().as<T>() + begin, v, parameter.value.view().as<T>() + begin,
                   end - begin);
}

}  // namespace

// One loop over the pieces of all parameters: many small ones cost no more wake-ups than a large one.
void sgd_step(std::span<SgdSlot> slots, std::span<const SgdSettings> groups) {
  thread_local std::vector<Pending> kept;  // its memory serves the next step
  std::vector<Pending>& pending = kept;    // the caller's, also in tasks of other threads
  pending.clear();
  for (const SgdSlot& slot : slots) {
    if (slot.parameter->has_grad) check(slot, groups.size());
  }
  std::int64_t tasks = 0;
  std::int64_t bytes = 0;
  for (SgdSlot& slot : slots) {
    Parameter& parameter = *slot.parameter;
    if (!parameter.has_grad) continue;
    ++parameter.version;
    const SgdSettings& settings = groups[static_cast<std::size_t>(slot.group)];
    if (settings.momentum != 0 && !slot.velocity) slot.velocity = Tensor(parameter.value.spec());
    pending.push_back({&slot, &settings, tasks});
    tasks += (parameter.value.spec().shape.numel() + piece - 1) / piece;
    bytes += static_cast<std::int64_t>(parameter.value.spec().bytes()) * (settings.momentum != 0 ? 5 : 3);
  }
  if (tasks == 0) return;

  parallel_for(tasks, bytes / tasks, [&](std::int64_t task, int) {
    const auto next = std::ranges::upper_bound(pending, task, {}, &Pending::first_task);
    const Pending& mine = *(next - 1);
    const Spec& spec = mine.slot->parameter->value.spec();
    const std::int64_t begin = (task - mine.first_task) * piece;
    const std::int64_t end = std::min(spec.shape.numel(), begin + piece);
    dispatch_floating(spec.dtype, [&]<class T>() { update<T>(*mine.slot, *mine.settings, begin, end); });
  });
}

}  // namespace fastcnn
