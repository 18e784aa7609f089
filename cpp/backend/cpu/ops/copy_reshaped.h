// The same elements, in row-major order of the logical shape, under another shape. From or to channels-last that is a
// transposition, else a copy.
#pragma once

#include "core/tensor.h"

namespace fastcnn {

// Whether a tensor of the one spec, reshaped to the other, has the same storage.
bool same_storage(const Spec& x, const Spec& y);

// Bytes that copy_reshaped needs in between: where both are channels-last and not of the same storage.
std::size_t reshaping_bytes(const Spec& x, const Spec& y);

void copy_reshaped(ConstView x, View y, std::byte* between);

}  // namespace fastcnn
