// A batch norm at inference, as layers take it in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

// Throws ShapeError, DTypeError unless inputs x[at] to x[at + 3] are a ChannelNorm's of so many channels.
void check_channel_norm(Specs x, std::size_t at, std::int64_t channels);

// The attribute "norm_eps"; no norm where it is absent.
std::optional<ChannelNorm> read_channel_norm(AttributeReader& attributes);
void write_channel_norm(Attributes& attributes, const std::optional<ChannelNorm>& norm);

}  // namespace fastcnn
