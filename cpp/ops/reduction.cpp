#include "ops/reduction.h"

#include "core/error.h"

namespace fastcnn {

std::string_view name_of(Reduction reduction) {
  switch (reduction) {
    case Reduction::mean: return "mean";
    case Reduction::sum: return "sum";
    case Reduction::none: return "none";
  }
  return "?";
}

Reduction read_reduction(Attributes& attributes) {
  const std::string name = attributes.text("reduction", "mean");
  for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::none})
    if (name == name_of(reduction)) return reduction;
  throw ValueError("unknown reduction \"" + name + "\", expected mean, sum or none");
}

}  // namespace fastcnn
