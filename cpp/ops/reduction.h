// How a loss over many elements becomes one number.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/shape.h"
#include "ops/attributes.h"

namespace fastcnn {

enum class Reduction { mean, batch_mean, sum, none };

std::string_view name_of(Reduction reduction);

// Attribute "reduction": mean (the default), batchmean, sum or none. Throws ValueError for an unknown name.
Reduction read_reduction(AttributeReader& attributes);

// What the sum is divided by: the number of elements for mean, the number of samples for batch_mean, else 1.
double divisor(Reduction reduction, std::int64_t elements, std::int64_t samples);

// The first extent; 1 for a scalar.
inline std::int64_t samples_of(const Shape& x) { return x.rank() > 0 ? x[0] : 1; }

}  // namespace fastcnn
