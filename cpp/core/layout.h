// In which order the elements of a tensor lie in memory.
#pragma once

#include <cstdint>

#include "core/shape.h"

namespace fastcnn {

enum class Layout : std::uint8_t {
  row_major,
  channels_last,  // of rank 4: element (n, c, h, w) of (N, C, H, W) lies at ((n*H + h)*W + w)*C + c
};

// What a tensor gets unless somebody says otherwise: images and filters, of rank 4, are channels-last. Whoever wants to
// know how a tensor lies asks its Spec, never its rank.
constexpr Layout default_layout(int rank) { return rank == 4 ? Layout::channels_last : Layout::row_major; }

}  // namespace fastcnn
