// When a convolution algorithm of the list is passed over although it could do the pass, because one behind
// it is faster. Measured; benchmarks/cpp/bench_conv2d_rules.cpp times them all and says what a wrong rule costs.
#pragma once

#include <string_view>

#include "backend/cpu/conv2d/algorithm.h"

namespace fastcnn {

// Why, as a literal; empty to take the algorithm.
std::string_view rule_against(std::string_view algorithm, const Conv2dProblem& p, Conv2dPass pass);

}  // namespace fastcnn
