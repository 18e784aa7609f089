// A batch norm at inference, folded into the weights of the layer before it.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include "core/parallel.h"
#include "ops/op.h"

namespace fastcnn {

// The parameters of a ChannelNorm as inputs of an op; gamma and beta may be null.
template <class T>
struct ChannelNormInputs {
  const T *gamma, *beta, *mean, *variance;

  // Inputs x[at] to x[at + 3].
  ChannelNormInputs(std::span<const ConstView> x, std::size_t at)
      : gamma(x[at].as<T>()), beta(x[at + 1].as<T>()), mean(x[at + 2].as<T>()), variance(x[at + 3].as<T>()) {}
};

// Weights and biases of w x + b with the normalisation behind it. w: `depth` per channel; b may be null.
template <class T>
void fold_channel_norm(const ChannelNorm& norm, const ChannelNormInputs<T>& inputs, const T* w, const T* b,
                       std::int64_t channels, std::int64_t depth, T* w_folded, T* b_folded) {
  parallel_ranges(channels, 2 * depth * std::int64_t{sizeof(T)}, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      const double gamma = inputs.gamma != nullptr ? static_cast<double>(inputs.gamma[c]) : 1.0;
      const double beta = inputs.beta != nullptr ? static_cast<double>(inputs.beta[c]) : 0.0;
      const double bias = b != nullptr ? static_cast<double>(b[c]) : 0.0;
      const double scale = gamma / std::sqrt(static_cast<double>(inputs.variance[c]) + norm.eps);
      b_folded[c] = static_cast<T>((bias - static_cast<double>(inputs.mean[c])) * scale + beta);
      for (std::int64_t i = c * depth; i < (c + 1) * depth; ++i)
        w_folded[i] = static_cast<T>(static_cast<double>(w[i]) * scale);
    }
  });
}

}  // namespace fastcnn
