// Shape arithmetic of the sliding windows of a convolution.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/shape.h"
#include "ops/attributes.h"
#include "ops/windows.h"

namespace fastcnn {

using Pair = std::array<std::int64_t, 2>;  // (height, width)

// AttributeReader::pair with a bound that keeps the arithmetic below from overflowing.
Pair read_pair(AttributeReader& attributes, std::string_view name, Pair fallback, std::int64_t least);

Attribute as_attribute(const Pair& pair);

// "3" for a square pair, "3x5" otherwise.
std::string describe(const Pair& pair);

struct WindowSpec {
  Pair kernel{1, 1};
  Pair stride{1, 1};
  Pair pad{0, 0};
  Pair dilation{1, 1};
};

// Windows over images of shape x = (n, c, h, w). Output extent: floor((in + 2 pad - reach) / stride) + 1
// with reach = (kernel - 1) dilation + 1. Throws ShapeError when not even one window fits.
Windows2d slide(const WindowSpec& spec, const Shape& x);

}  // namespace fastcnn
