// How a loss over many elements becomes one number.
#pragma once

#include <cstdint>
#include <string_view>

#include "ops/attributes.h"

namespace fastcnn {

enum class Reduction { mean, sum, none };

std::string_view name_of(Reduction reduction);

// Attribute "reduction", by default "mean". Throws ValueError for an unknown name.
Reduction read_reduction(Attributes& attributes);


}  // namespace fastcnn
