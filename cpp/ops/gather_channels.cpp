#include "ops/gather_channels.h"

#include "core/error.h"
#include "ops/checks.h"

namespace fastcnn {

Attributes GatherChannels::attributes() const { return {}; }

std::string GatherChannels::describe(Specs x) const {
  std::string text = "GatherChannels";
  if (x.size() == 2 && x[0].shape.rank() >= 2 && x[1].shape.rank() == 1)
    text.append(" ").append(std::to_string(x[0].shape[1])).append("→").append(std::to_string(x[1].shape[0]));
  return text;
}

std::vector<Spec> GatherChannels::infer(Specs x) const {
  check_inputs(x, 2, 2, "x and index");
  check_floating(x[0]);
  if (x[0].shape.rank() != 2) check_rank(x[0], 4, "(n, c, h, w)");
  if (x[1].dtype != DType::int64)
    throw DTypeError(std::string("index has type ") + name_of(x[1].dtype) + ", expected int64, numbers of channels");
  check_rank(x[1], 1, "(m)", "index");
  Spec y = x[0];
  y.shape[1] = x[1].shape[0];
  return {y};
}

}  // namespace fastcnn
