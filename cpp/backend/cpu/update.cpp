#include "backend/cpu/update.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/cpu/kernels.h"
#include "core/ceil_div.h"
#include "core/thread_pool.h"

namespace fastcnn {
namespace {

constexpr std::int64_t piece_elements = 16 * 1024;  // of one task

template <class T>
struct Elements {
  T* w;
  const T* g;
  T* state[ParameterStep::max_states];
  std::int64_t count;
};

template <class T>
void apply(const SgdRule& r, const Elements<T>& e) {
  const SgdUpdate<T> update{.lr = static_cast<T>(r.lr),
                            .momentum = static_cast<T>(r.momentum),
                            .weight_decay = static_cast<T>(r.weight_decay),
                            .nesterov = r.nesterov,
                            .lr_in_velocity = r.lr_in_velocity};
  kernels<T>().sgd(update, e.g, e.state[0], e.w, e.count);
}

template <class T>
void apply(const AdamRule& r, const Elements<T>& e) {
  const AdamUpdate<T> update{.decay = static_cast<T>(r.decoupled ? 1 - r.lr * r.weight_decay : 1),
                             .weight_decay = static_cast<T>(r.decoupled ? 0 : r.weight_decay),
                             .one_minus_beta1 = static_cast<T>(1 - r.beta1),
                             .beta2 = static_cast<T>(r.beta2),
                             .one_minus_beta2 = static_cast<T>(1 - r.beta2),
                             .step_size = static_cast<T>(r.step_size),
                             .root = static_cast<T>(r.root),
                             .eps = static_cast<T>(r.eps)};
  kernels<T>().adam(update, e.g, e.state[0], e.state[1], e.state[2], e.w, e.count);
}

template <class T>
void apply(const RmspropRule& r, const Elements<T>& e) {
  const RmspropUpdate<T> update{.lr = static_cast<T>(r.lr),
                                .alpha = static_cast<T>(r.alpha),
                                .one_minus_alpha = static_cast<T>(1 - r.alpha),
                                .eps = static_cast<T>(r.eps),
                                .weight_decay = static_cast<T>(r.weight_decay),
                                .momentum = static_cast<T>(r.momentum)};
  kernels<T>().rmsprop(update, e.g, e.state[0], e.state[1], e.state[2], e.w, e.count);
}

template <class T>
void apply(const AdagradRule& r, const Elements<T>& e) {
  const AdagradUpdate<T> update{
      .lr = static_cast<T>(r.lr), .eps = static_cast<T>(r.eps), .weight_decay = static_cast<T>(r.weight_decay)};
  kernels<T>().adagrad(update, e.g, e.state[0], e.w, e.count);
}

// Elements [begin, begin + count), by the gradient of these.
template <class T>
void update_elements(const ParameterStep& step, const T* gradient, std::int64_t begin, std::int64_t count) {
  Elements<T> elements{.w = step.value.as<T>() + begin, .g = gradient, .state = {}, .count = count};
  for (std::size_t i = 0; i < ParameterStep::max_states; ++i)
    elements.state[i] = step.state[i] ? step.state[i].as<T>() + begin : nullptr;
  std::visit([&](const auto& rule) { apply<T>(rule, elements); }, step.rule);
}

std::int64_t task_count(const ParameterStep& step) { return ceil_div(step.value.spec.shape.numel(), piece_elements); }

// The gradient is read, the others are read and written.
std::int64_t moved_bytes(const ParameterStep& step) {
  std::int64_t tensors = 3;
  for (const View& state : step.state) tensors += state ? 2 : 0;
  return tensors * static_cast<std::int64_t>(step.value.spec.bytes());
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

void constrain(const ParameterStep& step) {
  const auto* sgd = std::get_if<SgdRule>(&step.rule);
  if (sgd == nullptr || sgd->filter_norm == 0 || sgd->lr == 0) return;
  dispatch_floating(step.value.spec.dtype, [&]<class T>() { scale_rows<T>(step.value, sgd->filter_norm); });
}

}  // namespace

void update_parameters(std::span<const ParameterStep> steps) {
  thread_local std::vector<std::int64_t> kept;  // its memory serves the next step
  std::vector<std::int64_t>& first_tasks = kept;  // the caller's, also in tasks of other threads
  first_tasks.clear();
  std::int64_t tasks = 0, bytes = 0;
  for (const ParameterStep& step : steps) {
    first_tasks.push_back(tasks);
    tasks += task_count(step);
    bytes += moved_bytes(step);
  }
  if (tasks > 0) {
    parallel_for(tasks, bytes / tasks, [&](std::int64_t task, int) {
      const auto next = std::ranges::upper_bound(first_tasks, task);
      const auto index = static_cast<std::size_t>(next - first_tasks.begin()) - 1;
      const ParameterStep& step = steps[index];
      const std::int64_t begin = (task - first_tasks[index]) * piece_elements;
      const std::int64_t count = std::min(step.value.spec.shape.numel() - begin, piece_elements);
      dispatch_floating(step.value.spec.dtype,
                        [&]<class T>() { update_elements(step, step.gradient.as<T>() + begin, begin, count); });
    });
  }
  for (const ParameterStep& step : steps) constrain(step);
}

void update_piece(const ParameterStep& step, const GradientPiece& piece) {
  const Spec& spec = step.value.spec;
  const std::int64_t row_elements = spec.shape.numel() / spec.shape[0];
  dispatch_floating(spec.dtype, [&]<class T>() {
    const T* gradient = static_cast<const T*>(piece.data);
    for (std::int64_t i = 0; i < piece.rows; ++i) {
      const std::int64_t begin = (piece.row + i) * row_elements + piece.col;
      update_elements(step, gradient + i * piece.ld, begin, piece.cols);
    }
  });
}

void finish_pieces(const ParameterStep& step) { constrain(step); }

}  // namespace fastcnn
