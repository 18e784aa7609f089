#include "ops/max_pool2d.h"

#include "ops/pool2d.h"

namespace fastcnn {

OpPtr MaxPool2d::make(Attributes& attributes) { return std::make_shared<MaxPool2d>(read_pool(attributes)); }

std::string MaxPool2d::describe(Specs) const { return describe_pool("MaxPool2d", windows_); }

Spec MaxPool2d::infer(Specs x) const { return infer_pool(windows_, x); }

Needs MaxPool2d::backward_needs(Specs x) const {
  const auto outputs = static_cast<std::size_t>(infer(x).shape.numel());
  return {.saved_bytes = outputs * (index_fits_a_byte() ? sizeof(std::uint8_t) : sizeof(std::int32_t))};
}

}  // namespace fastcnn
