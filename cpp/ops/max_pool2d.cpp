#include "ops/max_pool2d.h"

#include "ops/pool2d.h"

namespace fastcnn {

OpPtr MaxPool2d::make(Attributes& attributes) {
  const WindowSpec windows = read_pool(attributes);
  return std::make_shared<MaxPool2d>(windows, read_pool_activation(attributes));
}

std::string MaxPool2d::describe(Specs) const {
  return describe_pool("MaxPool2d", windows_) + describe_pool_activation(f_);
}

Spec MaxPool2d::infer(Specs x) const { return infer_pool(windows_, x); }

Needs MaxPool2d::backward_needs(Specs x) const {
  const auto taps = static_cast<std::size_t>(infer(x).shape.numel() + pool_index_slack);
  return {.y = !f_.gradient_is_constant(),
          .saved_bytes = taps * (index_fits_a_byte() ? sizeof(std::uint8_t) : sizeof(std::int32_t))};
}

ScratchSize MaxPool2d::scratch(Specs x, Phase phase) const {
  return phase == Phase::backward ? pool_scratch(slide_pool(windows_, x[0].shape), f_, x[0].dtype) : ScratchSize{};
}

std::shared_ptr<const Op> MaxPool2d::fused_with(const Activation& f) const {
  return can_take_in(f_, f) ? std::make_shared<MaxPool2d>(windows_, f) : nullptr;
}

}  // namespace fastcnn
