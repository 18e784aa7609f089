#include "ops/reduction.h"

#include "core/error.h"

namespace fastcnn {

std::string_view name_of(Reduction reduction) {
  switch (reduction) {
    case Reduction::mean: return "mean";
    case Reduction::batch_mean: return "batchmean";
    case Reduction::sum: return "sum";
    case Reduction::none: return "none";
  }
  return "?";
}

Reduction read_reduction(AttributeReader& attributes) {
  const std::string name = attributes.text("reduction", "mean");
  for (const Reduction reduction : {Reduction::mean, Reduction::batch_mean, Reduction::sum, Reduction::none})
    if (name == name_of(reduction)) return reduction;
  throw ValueError("unknown reduction \"" + name + "\", expected mean, batchmean, sum or none");
}

double divisor(Reduction reduction, std::int64_t elements, std::int64_t samples) {
  if (reduction == Reduction::mean) return static_cast<double>(elements);
  return reduction == Reduction::batch_mean ? static_cast<double>(samples) : 1.0;
}

}  // namespace fastcnn
