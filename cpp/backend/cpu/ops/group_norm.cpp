#include "ops/group_norm.h"

#include <algorithm>
#include <cmath>

#include "backend/cpu/kernels.h"
#include "backend/cpu/op_kernel.h"
#include "backend/cpu/ops/batch_statistics.h"
#include "backend/cpu/ops/grouped_batch.h"

namespace fastcnn {
namespace {

template <class T>
const T* optional_input(std::span<const ConstView> x, std::size_t i) {
  return i < x.size() ? x[i].as<T>() : nullptr;
}

// y of a block from the statistics of its sample.
template <class T>
void apply(const GroupedBatch<T>& b, std::int64_t sample, std::int64_t block, const StepArgs& args, const T* saved,
           T* memory) {
  GroupCoefficients<T> c(memory, b.cols);
  c.set(b, sample, saved, optional_input<T>(args.x, 1), optional_input<T>(args.x, 2));
  const std::int64_t at = b.at(sample, block);
  kernels<T>().batch_norm({.rows = b.rows_of(block),
                           .cols = b.cols,
                           .mean = c.mean,
                           .scale = c.scale,
                           .shift = c.shift,
                           .f = {},
                           .x = args.x[0].as<T>() + at,
                           .residual = nullptr,
                           .y = args.y[0].as<T>() + at,
                           .stream = false});
}

// dgamma and dbeta by channel from the sums of all blocks; either may be null.
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

ScratchSize scratch(const GroupNorm& op, Specs x, Pass pass) {
  return dispatch_floating(x[0].dtype, [&]<class T>() {
    const GroupedBatch<T> b(x[0].shape, op.groups());
    const bool backward = pass == Pass::backward;
    const auto partial = static_cast<std::size_t>(b.partial(b.samples, 0));
    const std::size_t pairs = pass == Pass::inference || backward ? b.statistics() : 0;
    return ScratchSize{.shared = align_up(pairs * sizeof(T)) + partial * sizeof(T),
                       .per_thread = static_cast<std::size_t>((backward ? 5 : 3) * b.cols) * sizeof(T)};
  });
}

void forward(const GroupNorm& op, const StepArgs& args) {
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    const GroupedBatch<T> b(args.y[0].spec.shape, op.groups());
    if (b.is_empty()) return;
    const bool saving = args.saved != nullptr;
    T* saved = saving ? static_cast<T*>(args.saved) : args.scratch.shared<T>();
    const Scratch rest = saving ? args.scratch : args.scratch.after(b.statistics() * sizeof(T));
    T* partial = rest.shared<T>();
    const T* x = args.x[0].as<T>();
    b.run(
        [&](std::int64_t sample, std::int64_t block, int) {
          T* means = partial + b.partial(sample, block);
          kernels<T>().statistics(x + b.at(sample, block), b.cols, b.rows_of(block), b.cols, means, means + b.cols);
        },
        [&](std::int64_t sample) {
          for (std::int64_t group = 0; group < b.groups; ++group) {
            const GroupStatistics m = merge_statistics(b, partial, sample, group);
            T* statistics = saved + 2 * (sample * b.groups + group);
            statistics[0] = static_cast<T>(m.mean);
            statistics[1] = static_cast<T>(1 / std::sqrt(m.variance + op.eps()));
          }
        },
        [&](std::int64_t sample, std::int64_t block, int worker) {
          apply(b, sample, block, args, saved, rest.of_worker<T>(worker));
        });
  });
}

void recompute(const GroupNorm& op, const StepArgs& args) {
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    const GroupedBatch<T> b(args.y[0].spec.shape, op.groups());
    const std::int64_t bytes = 2 * std::min(b.rows, b.block_rows) * b.cols * std::int64_t{sizeof(T)};
    parallel_for(b.samples * b.blocks, bytes, [&](std::int64_t i, int worker) {
      apply(b, i / b.blocks, i % b.blocks, args, static_cast<const T*>(args.saved), args.scratch.of_worker<T>(worker));
    });
  });
}

// With s = 1 / deviation, over the n values of a group: dbeta = sum dy and dgamma = sum dy s (x - mean), by channel,
// dx = gamma s dy - s / n sum of gamma dy - s^3 / n (x - mean) sum of gamma dy (x - mean).
void backward(const GroupNorm& op, const StepArgs& args) {
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    const GroupedBatch<T> b(args.dy[0].spec.shape, op.groups());
    const auto gradient = [&](std::size_t i) { return i < args.dx.size() ? args.dx[i].as<T>() : nullptr; };
    T *dx = gradient(0), *dgamma = gradient(1), *dbeta = gradient(2);
    if (b.is_empty()) {
      if (dgamma != nullptr) std::fill_n(dgamma, b.cols, T{0});
      if (dbeta != nullptr) std::fill_n(dbeta, b.cols, T{0});
      return;
    }
    const T* gamma = optional_input<T>(args.x, 1);
    T* slopes = args.scratch.shared<T>();  // and offsets, by sample and group as what was saved
    T* partial = args.scratch.after(b.statistics() * sizeof(T)).template shared<T>();
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
                                       .dy = args.dy[0].as<T>() + at,
                                       .dz = nullptr};
    };
    b.run(
        [&](std::int64_t sample, std::int64_t block, int worker) {
          GroupCoefficients<T> c(args.scratch.of_worker<T>(worker), b.cols);
          c.set(b, sample, saved, gamma, nullptr);
          T* sums = partial + b.partial(sample, block);
          kernels<T>().batch_norm_sums(block_of(sample, block, c), sums, sums + b.cols);
        },
        [&](std::int64_t sample) {
          for (std::int64_t group = 0; group < b.groups; ++group) {
            const std::int64_t first = group * b.width();
            double sum = 0, sum_x = 0;
            for (std::int64_t block = 0; block < b.blocks; ++block) {
              const T* sums = partial + b.partial(sample, block);
              for (std::int64_t c = first; c < first + b.width(); ++c) {
                const double weight = gamma != nullptr ? static_cast<double>(gamma[c]) : 1.0;
                sum += weight * static_cast<double>(sums[c]);
                sum_x += weight * static_cast<double>(sums[b.cols + c]);
              }
            }
            const std::int64_t at = 2 * (sample * b.groups + group);
            const auto inverse = static_cast<double>(saved[at + 1]);
            slopes[at] = static_cast<T>(-inverse * inverse * inverse * sum_x / b.count());
            slopes[at + 1] = static_cast<T>(-inverse * sum / b.count());
          }
        },
        [&](std::int64_t sample, std::int64_t block, int worker) {
          if (dx == nullptr) return;
          GroupCoefficients<T> c(args.scratch.of_worker<T>(worker), b.cols);
          c.set(b, sample, saved, gamma, nullptr);
          c.set_slopes(b, sample, slopes);
          kernels<T>().batch_norm_gradient(block_of(sample, block, c), c.slope, c.offset, dx + b.at(sample, block));
        });
    add_affine_gradients(b, partial, saved, dgamma, dbeta);
  });
}

}  // namespace

KernelPtr make_group_norm(const KernelRequest& request) {
  return make_kernel<GroupNorm>(request, {.forward = forward,
                                          .backward = backward,
                                          .recompute = recompute,
                                          .scratch = scratch,
                                          .in_place = true});
}

}  // namespace fastcnn
