// What layers with weights can do to their output on the way out: a norm first, a sum, an activation last, each at most once.
#pragma once

#include <optional>
#include <utility>
#include <variant>

#include "ops/op.h"

namespace fastcnn {

// The options with this activation behind; nothing where there is one, or it is none or can't be fused.
template <class Options>
std::optional<Options> with_activation(Options options, const Epilogue& epilogue) {
  const auto* f = std::get_if<Activation>(&epilogue);
  if (f == nullptr || !f->gradient_from_output() || options.activation.kind != Activation::Kind::identity)
    return std::nullopt;
  options.activation = *f;
  return options;
}

// The same of options that have a norm and a residual, too. `is_whole`: the layer has all its inputs, so that what the
// epilogue reads can follow them.
template <class Options>
std::optional<Options> with_epilogue(Options options, const Epilogue& epilogue, bool is_whole) {
  if (std::holds_alternative<Activation>(epilogue)) return with_activation(std::move(options), epilogue);
  if (options.activation.kind != Activation::Kind::identity || options.residual || !is_whole) return std::nullopt;
  if (const auto* norm = std::get_if<ChannelNorm>(&epilogue)) {
    if (options.norm) return std::nullopt;
    options.norm = *norm;
  } else {
    options.residual = true;
  }
  return options;
}

}  // namespace fastcnn
