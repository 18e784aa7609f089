#include "ops/avg_pool2d.h"

#include "ops/pool2d.h"

namespace fastcnn {

OpPtr AvgPool2d::make(Attributes& attributes) {
  const WindowSpec windows = read_pool(attributes);
  return std::make_shared<AvgPool2d>(windows, attributes.flag("count_include_pad", true));
}

std::string AvgPool2d::describe(Specs) const {
  return describe_pool("AvgPool2d", windows_) + (count_include_pad_ ? "" : ", count_include_pad=false");
}

Spec AvgPool2d::infer(Specs x) const { return infer_pool(windows_, x); }

}  // namespace fastcnn
