#include "ops/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "backend/cpu/kernels.h"
#include "backend/cpu/op_kernel.h"
#include "backend/cpu/ops/batch_statistics.h"
#include "core/ceil_div.h"
#include "core/error.h"
#include "core/parallel.h"
#include "ops/checks.h"

namespace fastcnn {
namespace {

// A batch as a matrix, and its cut into blocks of rows, one partial sum each.
struct Extents {
  std::int64_t rows;  // pixels
  std::int64_t cols;  // channels
  std::int64_t block_rows;
  std::int64_t blocks;

  explicit Extents(const Shape& x) : rows(x[0]), cols(x[1]) {
    for (int axis = 2; axis < x.rank(); ++axis) rows *= x[axis];
    constexpr std::int64_t block_elements = 1 << 15;
    block_rows = std::max<std::int64_t>(32, block_elements / std::max<std::int64_t>(1, cols));
    blocks = ceil_div(rows, block_rows);
  }
  std::int64_t rows_of(std::int64_t block) const { return std::min(block_rows, rows - block * block_rows); }

  // Calls body(block) in parallel; `bytes` is what an element takes of memory traffic.
  template <class F>
  void for_blocks(std::size_t bytes, F body) const {
    parallel_for(blocks, std::min(rows, block_rows) * cols * static_cast<std::int64_t>(bytes),
                 [&](std::int64_t block, int) { body(block); });
  }
};

// What forward computes of each channel and backward needs again: z = (x - mean) scale + shift.
template <class T>
struct Coefficients {
  T *mean, *inverse_deviation, *scale, *shift;

  Coefficients(void* memory, std::int64_t channels)
      : mean(static_cast<T*>(memory)),
        inverse_deviation(mean + channels),
        scale(mean + 2 * channels),
        shift(mean + 3 * channels) {}

  void set(std::int64_t c, double channel_mean, double variance, double eps, const T* gamma, const T* beta) {
    const double inverse = 1 / std::sqrt(variance + eps);
    mean[c] = static_cast<T>(channel_mean);
    inverse_deviation[c] = static_cast<T>(inverse);
    scale[c] = static_cast<T>(inverse * (gamma != nullptr ? static_cast<double>(gamma[c]) : 1.0));
    shift[c] = beta != nullptr ? beta[c] : T{0};
  }
};

// Calls body(channel, sum of a, sum of b) with the sums over all blocks, in parallel where there are many.
template <class T, class F>
void add_blocks(const Extents& e, const T* a, const T* b, F body) {
  for_channel_groups(e.cols, 8 * e.blocks, [&](std::int64_t first, std::int64_t channels) {
    double sum_a[channel_group] = {}, sum_b[channel_group] = {};
    for (std::int64_t at = first; at < e.blocks * e.cols; at += e.cols) {
      for (std::int64_t c = 0; c < channels; ++c) {
        sum_a[c] += static_cast<double>(a[at + c]);
        sum_b[c] += static_cast<double>(b[at + c]);
      }
    }
    for (std::int64_t c = 0; c < channels; ++c) body(first + c, sum_a[c], sum_b[c]);
  });
}

template <class T>
void move_towards(T& running, double momentum, double value) {
  running = static_cast<T>((1 - momentum) * static_cast<double>(running) + momentum * value);
}

template <class T>
const T* input(std::span<const ConstView> x, std::size_t i) {
  return i < x.size() ? x[i].as<T>() : nullptr;
}

View gradient(const StepArgs& args, std::size_t i) { return i < args.dx.size() ? args.dx[i] : View{}; }

bool is_absent(const ConstView& x) { return x.spec.shape.rank() == 0; }

// Coefficients from the batch; running statistics follow, where there are any.
template <class T>
void from_batch(const BatchNorm::Options& options, const Extents& e, const StepArgs& args,
                Coefficients<T> coefficients, std::byte* partial) {
  const bool gathered = args.statistics_of_x != nullptr;
  const BatchStatistics<T> statistics = gathered ? BatchStatistics<T>::gathered(args.statistics_of_x, e.cols)
                                                 : BatchStatistics<T>(partial, e.blocks, e.cols);
  if (!gathered) {
    const T* x = args.x[0].as<T>();
    e.for_blocks(sizeof(T), [&](std::int64_t block) {
      statistics.gather(block, x, block * e.block_rows, e.rows_of(block));
    });
  }
  const bool running = options.batch_statistics && args.state.size() > 4 && args.state[3] && args.state[4];
  T* running_mean = running ? args.state[3].as<T>() : nullptr;
  T* running_var = running ? args.state[4].as<T>() : nullptr;
  const T* gamma = input<T>(args.x, 1);
  const T* beta = input<T>(args.x, 2);
  statistics.merge([&](std::int64_t c, double mean, double squares, std::int64_t pixels) {
    const auto n = static_cast<double>(pixels);
    coefficients.set(c, mean, squares / n, options.eps, gamma, beta);
    if (running_mean == nullptr) return;
    move_towards(running_mean[c], options.momentum, mean);
    move_towards(running_var[c], options.momentum, squares / (n - 1));
  });
}

template <class T>
void from_running(const BatchNorm::Options& options, const Extents& e, const StepArgs& args,
                  Coefficients<T> coefficients) {
  const T* mean = args.x[3].as<T>();
  const T* variance = args.x[4].as<T>();
  for (std::int64_t c = 0; c < e.cols; ++c) {
    coefficients.set(c, static_cast<double>(mean[c]), static_cast<double>(variance[c]), options.eps,
                     input<T>(args.x, 1), input<T>(args.x, 2));
  }
}

bool uses_batch(const BatchNorm::Options& options, const RunContext& run, bool has_running) {
  return !has_running || (options.batch_statistics && run.training);
}

ScratchSize scratch(const BatchNorm&, Specs x, Pass pass) {
  const Extents e(x[0].shape);
  const auto element = size_of(x[0].dtype);
  const auto partial = static_cast<std::size_t>(2 * e.blocks * e.cols) * element;
  const auto channels = static_cast<std::size_t>(e.cols) * element;
  const std::size_t statistics = dispatch_floating(
      x[0].dtype, [&]<class T>() { return BatchStatistics<T>::bytes(e.blocks, e.cols); });
  switch (pass) {
    case Pass::inference: return {.shared = align_up(4 * channels) + (is_present(x, 3) ? 0 : statistics)};
    case Pass::forward:
    case Pass::recompute: return {.shared = statistics};
    case Pass::backward: return {.shared = align_up(2 * channels) + partial};
  }
  return {};
}

// y from the coefficients of z = (x - mean) scale + shift, as they lie in memory.
void normalize(const BatchNorm& op, const StepArgs& args, const void* coefficients) {
  const Extents e(args.x[0].spec.shape);
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    const Coefficients<T> c(const_cast<void*>(coefficients), e.cols);
    const T* residual = input<T>(args.x, 5);
    const bool stream = args.y[0].data != args.x[0].data && args.y[0].data != residual &&
                        outgrows_caches(args.y[0].spec.bytes());
    e.for_blocks((residual != nullptr ? 3 : 2) * sizeof(T), [&](std::int64_t block) {
      const std::int64_t at = block * e.block_rows * e.cols;
      kernels<T>().batch_norm({.rows = e.rows_of(block),
                               .cols = e.cols,
                               .mean = c.mean,
                               .scale = c.scale,
                               .shift = c.shift,
                               .f = op.options().activation,
                               .x = args.x[0].as<T>() + at,
                               .residual = residual != nullptr ? residual + at : nullptr,
                               .y = args.y[0].as<T>() + at,
                               .stream = stream});
    });
  });
}

// Throws ShapeError in training when there is only one value per channel.
void forward(const BatchNorm& op, const StepArgs& args) {
  const Extents e(args.x[0].spec.shape);
  const bool batch = uses_batch(op.options(), *args.run, !is_absent(args.x[3]));
  if (e.rows == 0) return;
  if (batch && e.rows == 1) {
    throw ShapeError("batch statistics need more than one value per channel; x=" + args.x[0].spec.shape.str());
  }
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    // At inference nothing is saved, and the coefficients lie in front of the partial sums.
    const bool saving = args.saved != nullptr;
    const std::size_t coefficient_bytes = static_cast<std::size_t>(4 * e.cols) * sizeof(T);
    const Coefficients<T> c(saving ? args.saved : args.scratch.shared<T>(), e.cols);
    const Scratch rest = saving ? args.scratch : args.scratch.after(coefficient_bytes);
    if (batch) {
      from_batch(op.options(), e, args, c, rest.shared<std::byte>());
    } else {
      from_running(op.options(), e, args, c);
    }
    normalize(op, args, c.mean);
  });
}

void recompute(const BatchNorm& op, const StepArgs& args) { normalize(op, args, args.saved); }

// With dz = dy f'(y), s = 1 / sqrt(variance + eps) and n rows: dbeta = sum dz, dgamma = s sum dz (x - mean),
// dx = gamma s (dz - dbeta / n - s (x - mean) dgamma / n), where statistics of the batch were used; else
// dx = gamma s dz.
void backward(const BatchNorm& op, const StepArgs& args) {
  const Extents e(args.dy[0].spec.shape);
  const bool batch = uses_batch(op.options(), *args.run, !is_absent(args.x[3]));
  const View dresidual = gradient(args, 5);
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    T* dgamma = gradient(args, 1).as<T>();
    T* dbeta = gradient(args, 2).as<T>();
    if (e.rows == 0) {
      if (dgamma != nullptr) std::fill_n(dgamma, e.cols, T{0});
      if (dbeta != nullptr) std::fill_n(dbeta, e.cols, T{0});
      return;
    }
    T* slope = args.scratch.shared<T>();
    T* offset = slope + e.cols;
    T* sums = args.scratch.after(static_cast<std::size_t>(2 * e.cols) * sizeof(T)).template shared<T>();
    T* sums_x = sums + e.blocks * e.cols;
    const Coefficients<T> c(const_cast<void*>(args.saved), e.cols);
    const auto block_at = [&](std::int64_t block) {
      const std::int64_t at = block * e.block_rows * e.cols;
      return BatchNormGradientBlock<T>{.rows = e.rows_of(block),
                                       .cols = e.cols,
                                       .mean = c.mean,
                                       .scale = c.scale,
                                       .shift = c.shift,
                                       .f = op.options().activation,
                                       .x = args.x[0].as<T>() + at,
                                       .y = op.gradient_reads_y() ? args.y[0].as<T>() + at : nullptr,
                                       .dy = args.dy[0].as<T>() + at,
                                       .dz = dresidual ? dresidual.as<T>() + at : nullptr};
    };
    e.for_blocks(4 * sizeof(T), [&](std::int64_t block) {
      kernels<T>().batch_norm_sums(block_at(block), sums + block * e.cols, sums_x + block * e.cols);
    });
    add_blocks(e, sums, sums_x, [&](std::int64_t i, double sum, double sum_x) {
      const auto inverse = static_cast<double>(c.inverse_deviation[i]);
      const double share = batch ? static_cast<double>(c.scale[i]) / static_cast<double>(e.rows) : 0.0;
      if (dgamma != nullptr) dgamma[i] = static_cast<T>(sum_x * inverse);
      if (dbeta != nullptr) dbeta[i] = static_cast<T>(sum);
      slope[i] = static_cast<T>(-share * sum_x * inverse * inverse);
      offset[i] = static_cast<T>(-share * sum);
    });
    const View dx = gradient(args, 0);
    if (!dx) return;
    e.for_blocks(4 * sizeof(T), [&](std::int64_t block) {
      BatchNormGradientBlock<T> b = block_at(block);
      if (b.dz != nullptr) {  // the first pass has multiplied by f'
        b.dy = b.dz;
        b.f = {};
      }
      kernels<T>().batch_norm_gradient(b, slope, offset, dx.as<T>() + block * e.block_rows * e.cols);
    });
  });
}

}  // namespace

KernelPtr make_batch_norm(const KernelRequest& request) {
  const bool reads_statistics =
      request.as<BatchNorm>().options().batch_statistics || !is_present(request.x, 3);
  return make_kernel<BatchNorm>(request, {.forward = forward,
                                          .backward = backward,
                                          .recompute = recompute,
                                          .scratch = scratch,
                                          .in_place = true,
                                          .reads_statistics = reads_statistics});
}

}  // namespace fastcnn
