#include "ops/conv2d_rules.h"

namespace fastcnn {

std::string_view rule_against(std::string_view, const Conv2dProblem&, Conv2dPass) { return {}; }

}  // namespace fastcnn
