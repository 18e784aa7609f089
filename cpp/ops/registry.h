// All ops by name. A new op is one line in registry.cpp.
#pragma once

#include <string_view>
#include <vector>

#include "ops/attributes.h"
#include "ops/op.h"

namespace fastcnn {

// Throws ValueError for an unknown kind (naming the near ones) or attributes that don't fit.
OpPtr make_op(std::string_view kind, const Attributes& attributes);

std::vector<std::string_view> op_kinds();

}  // namespace fastcnn
