#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "cpu/kernels.h"
#include "ops/batch_norm.h"
#include "ops/checks.h"
#include "ops/parallel.h"

namespace fastcnn {
namespace {

// A batch as a matrix, and its cut into blocks of rows, one partial sum each.
struct Extents {
  std::int64_t rows;  // pixels
  std::int64_t cols;  // channels
  std::int64_t block_rows;
  std::int64_t blocks;

  explicit Extents(const Shape& x) : rows(x[0] * (x.rank() == 4 ? x[2] * x[3] : 1)), cols(x[1]) {
    constexpr std::int64_t block_elements = 1 << 15;
    block_rows = std::max<std::int64_t>(32, block_elements / std::max<std::int64_t>(1, cols));
    blocks = (rows + block_rows - 1) / block_rows;
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

struct Moments {
  double mean;
  double squares;  // sum of squared distances from the mean
};

// The moments of column c from those of the blocks (Chan, Golub and LeVeque 1979), in double precision.
template <class T>
Moments merge_moments(const Extents& e, const T* means, const T* squares, std::int64_t c) {
  double sum = 0;
  for (std::int64_t block = 0; block < e.blocks; ++block)
    sum += static_cast<double>(e.rows_of(block)) * static_cast<double>(means[block * e.cols + c]);
  Moments merged{.mean = sum / static_cast<double>(e.rows), .squares = 0};
  for (std::int64_t block = 0; block < e.blocks; ++block) {
    const double d = static_cast<double>(means[block * e.cols + c]) - merged.mean;
    merged.squares +=
        static_cast<double>(squares[block * e.cols + c]) + static_cast<double>(e.rows_of(block)) * d * d;
  }
  return merged;
}

// Calls body(c) for all channels, in parallel where there are many blocks to merge.
template <class F>
void for_channels(const Extents& e, F body) {
  parallel_ranges(e.cols, 8 * e.blocks, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) body(c);
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

View gradient(const BackwardArgs& args, std::size_t i) { return i < args.dx.size() ? args.dx[i] : View{}; }

bool is_absent(const ConstView& x) { return x.spec.shape.rank() == 0; }

// Coefficients from the batch; running statistics follow, where there are any.
template <class T>
void from_batch(const BatchNorm::Options& options, const Extents& e, const ForwardArgs& args,
                Coefficients<T> coefficients, T* partial) {
  const T* x = args.x[0].as<T>();
  T* means = partial;
  T* squares = partial + e.blocks * e.cols;
  e.for_blocks(sizeof(T), [&](std::int64_t block) {
    const std::int64_t at = block * e.cols;
    kernels<T>().moments(x + at * e.block_rows, e.cols, e.rows_of(block), e.cols, means + at, squares + at);
  });
  const bool running = options.batch_statistics && args.state.size() > 4 && args.state[3] && args.state[4];
  T* running_mean = running ? args.state[3].as<T>() : nullptr;
  T* running_var = running ? args.state[4].as<T>() : nullptr;
  const T* gamma = input<T>(args.x, 1);
  const T* beta = input<T>(args.x, 2);
  for_channels(e, [&](std::int64_t c) {
    const Moments m = merge_moments(e, means, squares, c);
    coefficients.set(c, m.mean, m.squares / static_cast<double>(e.rows), options.eps, gamma, beta);
    if (running_mean == nullptr) return;
    move_towards(running_mean[c], options.momentum, m.mean);
    move_towards(running_var[c], options.momentum, m.squares / static_cast<double>(e.rows - 1));
  });
}

template <class T>
void from_running(const BatchNorm::Options& options, const Extents& e, const ForwardArgs& args,
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

}  // namespace

ScratchSize BatchNorm::scratch(Specs x, Phase phase) const {
  const Extents e(x[0].shape);
  const auto element = size_of(x[0].dtype);
  const auto partial = static_cast<std::size_t>(2 * e.blocks * e.cols) * element;
  const auto channels = static_cast<std::size_t>(e.cols) * element;
  switch (phase) {
    case Phase::inference: return {.shared = align_up(4 * channels) + (is_present(x, 3) ? 0 : partial)};
    case Phase::forward: return {.shared = partial};
    case Phase::backward: return {.shared = align_up(2 * channels) + partial};
  }
  return {};
}

void BatchNorm::forward(const ForwardArgs& args) const {
  const Extents e(args.x[0].spec.shape);
  const bool batch = uses_batch(options_, *args.run, !is_absent(args.x[3]));
  if (e.rows == 0) return;
  if (batch && e.rows == 1) {
    throw ShapeError("batch statistics need more than one value per channel; x=" + args.x[0].spec.shape.str());
  }
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    // At inference nothing is saved, and the coefficients lie in front of the partial sums.
    const bool saving = args.saved != nullptr;
    const std::size_t coefficient_bytes = static_cast<std::size_t>(4 * e.cols) * sizeof(T);
    const Coefficients<T> c(saving ? args.saved : args.scratch.shared<T>(), e.cols);
    const Scratch rest = saving ? args.scratch : args.scratch.after(coefficient_bytes);
    if (batch) {
      from_batch(options_, e, args, c, rest.shared<T>());
    } else {
      from_running(options_, e, args, c);
    }
    normalize(args, c.mean);
  });
}

void BatchNorm::recompute(const ForwardArgs& args) const { normalize(args, args.saved); }

void BatchNorm::normalize(const ForwardArgs& args, const void* coefficients) const {
  const Extents e(args.x[0].spec.shape);
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    const Coefficients<T> c(const_cast<void*>(coefficients), e.cols);
    const T* residual = input<T>(args.x, 5);
    const bool stream = args.y.data != args.x[0].data && args.y.data != residual && outgrows_caches(args.y.spec.bytes());
    e.for_blocks((residual != nullptr ? 3 : 2) * sizeof(T), [&](std::int64_t block) {
      const std::int64_t at = block * e.block_rows * e.cols;
      kernels<T>().batch_norm({.rows = e.rows_of(block),
                               .cols = e.cols,
                               .mean = c.mean,
                               .scale = c.scale,
                               .shift = c.shift,
                               .f = options_.activation,
                               .x = args.x[0].as<T>() + at,
                               .residual = residual != nullptr ? residual + at : nullptr,
                               .y = args.y.as<T>() + at,
                               .stream = stream});
    });
  });
}

// With dz = dy f'(y), s = 1 / sqrt(variance + eps) and n rows: dbeta = sum dz, dgamma = s sum dz (x - mean),
// dx = gamma s (dz - dbeta / n - s (x - mean) dgamma / n), where statistics of the batch were used; else
// dx = gamma s dz.
void BatchNorm::backward(const BackwardArgs& args) const {
  const Extents e(args.dy.spec.shape);
  const bool batch = uses_batch(options_, *args.run, !is_absent(args.x[3]));
  const View dresidual = gradient(args, 5);
  dispatch_floating(args.dy.spec.dtype, [&]<class T>() {
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
                                       .f = options_.activation,
                                       .x = args.x[0].as<T>() + at,
                                       .y = gradient_reads_y() ? args.y.as<T>() + at : nullptr,
                                       .dy = args.dy.as<T>() + at,
                                       .dz = dresidual ? dresidual.as<T>() + at : nullptr};
    };
    e.for_blocks(4 * sizeof(T), [&](std::int64_t block) {
      kernels<T>().batch_norm_sums(block_at(block), sums + block * e.cols, sums_x + block * e.cols);
    });
    for_channels(e, [&](std::int64_t i) {
      double sum = 0, sum_x = 0;
      for (std::int64_t block = 0; block < e.blocks; ++block) {
        sum += static_cast<double>(sums[block * e.cols + i]);
        sum_x += static_cast<double>(sums_x[block * e.cols + i]);
      }
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

}  // namespace fastcnn
