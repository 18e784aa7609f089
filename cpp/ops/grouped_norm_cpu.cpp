#include "ops/grouped_norm.h"

#include <algorithm>
#include <cmath>

#include "cpu/kernels.h"
#include "ops/channel_moments.h"
#include "ops/grouped_columns.h"

namespace fastcnn {
namespace {

// Sum of gamma[i] x[i] in double, by lanes.
template <class T>
double weighted_sum(const T* gamma, const T* x, std::int64_t n) {
  constexpr std::int64_t lanes = 8;
  double sums[lanes] = {};
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (std::int64_t j = 0; j < lanes; ++j)
      sums[j] += static_cast<double>(x[i + j]) * (gamma != nullptr ? static_cast<double>(gamma[i + j]) : 1.0);
  for (; i < n; ++i) sums[0] += static_cast<double>(x[i]) * (gamma != nullptr ? static_cast<double>(gamma[i]) : 1.0);
  double sum = 0;
  for (const double part : sums) sum += part;
  return sum;
}

template <class T>
void apply(const GroupedBatch<T>& b, std::int64_t sample, std::int64_t block, const T* x, const T* gamma, const T* beta,
           const T* saved, T* y, T* memory) {
  GroupCoefficients<T> c(memory, b.cols);
  c.set(b, sample, saved, gamma, beta);
  const std::int64_t at = b.at(sample, block);
  kernels<T>().batch_norm({.rows = b.rows_of(block),
                           .cols = b.cols,
                           .mean = c.mean,
                           .scale = c.scale,
                           .shift = c.shift,
                           .f = {},
                           .x = x + at,
                           .residual = nullptr,
                           .y = y + at,
                           .stream = false});
}

// dgamma and dbeta by column from the sums of all blocks; either may be null.
template <class T>
void add_affine_gradients(const GroupedBatch<T>& b, const T* partial, const T* saved, T* dgamma, T* dbeta) {
  if (dgamma == nullptr && dbeta == nullptr) return;
  for_channel_groups(b.cols, 4 * b.samples * b.blocks, [&](std::int64_t first, std::int64_t columns) {
    double sum[channel_group] = {}, sum_x[channel_group] = {};
    std::int64_t group_of[channel_group];
    for (std::int64_t c = 0; c < columns; ++c) group_of[c] = (first + c) / b.width();
    for (std::int64_t sample = 0; sample < b.samples; ++sample)
      for (std::int64_t block = 0; block < b.blocks; ++block) {
        const T* sums = partial + b.partial(sample, block) + first;
        for (std::int64_t c = 0; c < columns; ++c) {
          const T inverse = saved[2 * (sample * b.groups + group_of[c]) + 1];
          sum[c] += static_cast<double>(sums[c]);
          sum_x[c] += static_cast<double>(sums[b.cols + c]) * static_cast<double>(inverse);
        }
      }
    for (std::int64_t c = 0; c < columns; ++c) {
      if (dgamma != nullptr) dgamma[first + c] = static_cast<T>(sum_x[c]);
      if (dbeta != nullptr) dbeta[first + c] = static_cast<T>(sum[c]);
    }
  });
}

// Of rows x cols, columns then lie in memory one after the other.
template <class T>
void transpose(const T* from, std::int64_t rows, std::int64_t cols, T* to) {
  for (std::int64_t c = 0; c < cols; ++c)
    for (std::int64_t r = 0; r < rows; ++r) to[c * rows + r] = from[r * cols + c];
}

// gamma or beta by column; null where it is absent. `room` for it where it lies otherwise.
template <class T>
const T* by_column(const GroupedColumns& g, std::span<const ConstView> x, std::size_t i, T* room) {
  const T* given = i < x.size() ? x[i].as<T>() : nullptr;
  if (given == nullptr || g.planes == 1) return given;
  transpose(given, g.planes, g.cols / g.planes, room);
  return room;
}

// Working memory, after which comes that of the sums.
std::size_t affine_elements(const GroupedColumns& g, Phase phase) {
  if (g.planes == 1) return 0;
  return static_cast<std::size_t>((phase == Phase::backward ? 3 : 2) * g.cols);
}

std::size_t statistics_elements(const GroupedColumns& g) { return static_cast<std::size_t>(2 * g.samples * g.groups); }

}  // namespace

ScratchSize GroupedNorm::scratch(Specs x, Phase phase) const {
  const GroupedColumns g = columns_of(x[0].shape);
  return dispatch_floating(x[0].dtype, [&]<class T>() {
    const GroupedBatch<T> b(g);
    const bool backward = phase == Phase::backward;
    const std::size_t partial = b.rows > 1 || backward ? static_cast<std::size_t>(b.partial(b.samples, 0)) : 0;
    const std::size_t pairs = backward || phase == Phase::inference ? statistics_elements(g) : 0;
    const auto row = static_cast<std::size_t>(g.cols) * sizeof(T);
    return ScratchSize{.shared = align_up(affine_elements(g, phase) * sizeof(T)) + align_up(pairs * sizeof(T)) +
                                 partial * sizeof(T),
                       .per_thread = (backward ? 5 : 3) * row};
  });
}

void GroupedNorm::forward(const ForwardArgs& args) const {
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    const GroupedBatch<T> b(columns_of(args.y.spec.shape));
    if (b.is_empty()) return;
    const Phase phase = args.saved != nullptr ? Phase::forward : Phase::inference;
    T* affine = args.scratch.shared<T>();
    const T* gamma = by_column(b, args.x, 1, affine);
    const T* beta = by_column(b, args.x, 2, affine + b.cols);
    Scratch rest = args.scratch.after(affine_elements(b, phase) * sizeof(T));
    T* saved = static_cast<T*>(args.saved);
    if (saved == nullptr) {
      saved = rest.shared<T>();
      rest = rest.after(statistics_elements(b) * sizeof(T));
    }
    T* partial = rest.shared<T>();
    const T* x = args.x[0].as<T>();
    T* y = args.y.as<T>();
    b.run(
        [&](std::int64_t sample, std::int64_t block, int) {
          if (b.rows == 1) return;  // a run, of which nothing is made by column
          T* means = partial + b.partial(sample, block);
          kernels<T>().moments(x + b.at(sample, block), b.cols, b.rows_of(block), b.cols, means, means + b.cols);
        },
        [&](std::int64_t sample) {
          for (std::int64_t group = 0; group < b.groups; ++group) {
            const GroupMoments m = b.rows == 1 ? moments_of_run(x + sample * b.cols + group * b.width(), b.width())
                                          : moments_of_blocks(b, partial, sample, group);
            T* statistics = saved + 2 * (sample * b.groups + group);
            statistics[0] = static_cast<T>(m.mean);
            statistics[1] = static_cast<T>(1 / std::sqrt(m.variance + eps_));
          }
        },
        [&](std::int64_t sample, std::int64_t block, int worker) {
          apply(b, sample, block, x, gamma, beta, saved, y, rest.template of_worker<T>(worker));
        });
  });
}

void GroupedNorm::recompute(const ForwardArgs& args) const {
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    const GroupedBatch<T> b(columns_of(args.y.spec.shape));
    T* affine = args.scratch.shared<T>();
    const T* gamma = by_column(b, args.x, 1, affine);
    const T* beta = by_column(b, args.x, 2, affine + b.cols);
    const std::int64_t bytes = 2 * std::min(b.rows, b.block_rows) * b.cols * std::int64_t{sizeof(T)};
    parallel_for(b.samples * b.blocks, bytes, [&](std::int64_t i, int worker) {
      apply(b, i / b.blocks, i % b.blocks, args.x[0].as<T>(), gamma, beta, static_cast<const T*>(args.saved),
            args.y.as<T>(), args.scratch.of_worker<T>(worker));
    });
  });
}

// With s = 1 / deviation, over the n values of a group: dbeta = sum dy and dgamma = sum dy s (x - mean), by column,
// dx = gamma s dy - s / n sum of gamma dy - s^3 / n (x - mean) sum of gamma dy (x - mean).
void GroupedNorm::backward(const BackwardArgs& args) const {
  dispatch_floating(args.dy.spec.dtype, [&]<class T>() {
    const GroupedBatch<T> b(columns_of(args.dy.spec.shape));
    const auto gradient = [&](std::size_t i) { return i < args.dx.size() ? args.dx[i].as<T>() : nullptr; };
    T *dx = gradient(0), *dgamma = gradient(1), *dbeta = gradient(2);
    if (b.is_empty()) {
      if (dgamma != nullptr) std::fill_n(dgamma, b.cols, T{0});
      if (dbeta != nullptr) std::fill_n(dbeta, b.cols, T{0});
      return;
    }
    T* affine = args.scratch.shared<T>();
    const T* gamma = by_column(b, args.x, 1, affine);
    const Scratch rest = args.scratch.after(affine_elements(b, Phase::backward) * sizeof(T));
    T* slopes = rest.shared<T>();  // and offsets, by sample and group as what was saved
    T* partial = rest.after(statistics_elements(b) * sizeof(T)).template shared<T>();
    const T* saved = static_cast<const T*>(args.saved);
    const auto block_of = [&](std::int64_t sample, std::int64_t block, const GroupCoefficients<T>& c) {
      const std::int64_t at = b.at(sample, block);
      return BatchNormGradientBlock<T>{.rows = b.rows_of(block),
                                       .cols = b.cols,
                                       .mean = c.mean,
                                       .scale = c.scale,
                                       .shift = c.shift,
                                       .f = {},
                                       .x = args.x[0].as<T>() + at,
                                       .y = nullptr,
                                       .dy = args.dy.as<T>() + at,
                                       .dz = nullptr};
    };
    b.run(
        [&](std::int64_t sample, std::int64_t block, int worker) {
          GroupCoefficients<T> c(rest.of_worker<T>(worker), b.cols);
          c.set(b, sample, saved, gamma, nullptr);
          T* sums = partial + b.partial(sample, block);
          kernels<T>().batch_norm_sums(block_of(sample, block, c), sums, sums + b.cols);
        },
        [&](std::int64_t sample) {
          for (std::int64_t group = 0; group < b.groups; ++group) {
            const std::int64_t first = group * b.width();
            const T* weights = gamma != nullptr ? gamma + first : nullptr;
            double sum = 0, sum_x = 0;
            for (std::int64_t block = 0; block < b.blocks; ++block) {
              const T* sums = partial + b.partial(sample, block) + first;
              sum += weighted_sum(weights, sums, b.width());
              sum_x += weighted_sum(weights, sums + b.cols, b.width());
            }
            const std::int64_t at = 2 * (sample * b.groups + group);
            const auto inverse = static_cast<double>(saved[at + 1]);
            slopes[at] = static_cast<T>(-inverse * inverse * inverse * sum_x / b.count());
            slopes[at + 1] = static_cast<T>(-inverse * sum / b.count());
          }
        },
        [&](std::int64_t sample, std::int64_t block, int worker) {
          if (dx == nullptr) return;
          GroupCoefficients<T> c(rest.of_worker<T>(worker), b.cols);
          c.set(b, sample, saved, gamma, nullptr);
          c.set_slopes(b, sample, slopes);
          kernels<T>().batch_norm_gradient(block_of(sample, block, c), c.slope, c.offset, dx + b.at(sample, block));
        });
    if (b.planes == 1) return add_affine_gradients(b, partial, saved, dgamma, dbeta);
    T *dgamma_by_column = affine + b.cols, *dbeta_by_column = affine + 2 * b.cols;
    add_affine_gradients(b, partial, saved, dgamma_by_column, dbeta_by_column);
    if (dgamma != nullptr) transpose(dgamma_by_column, b.cols / b.planes, b.planes, dgamma);
    if (dbeta != nullptr) transpose(dbeta_by_column, b.cols / b.planes, b.planes, dbeta);
  });
}

}  // namespace fastcnn
