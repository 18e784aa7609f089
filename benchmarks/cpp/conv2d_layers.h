// The convolutions of networks, read from benchmarks/shapes/*.txt. A file lists one layer per line:
//   name x=NxCxHxW w=C_OUTxC_INxKHxKW [stride=S] [pad=P] [dilation=D] [groups=G]     # comment
// C_IN is that of one group; S, P and D are one number or HxW.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/cpu/conv2d/algorithm.h"

namespace fastcnn {

struct Layer {
  std::string name;  // "alexnet/conv1"
  Conv2dProblem problem;
};

// Of the files among the arguments, or of all in benchmarks/shapes; --batch=N replaces each layer's N.
// Throws std::runtime_error saying what a line lacks.
std::vector<Layer> read_layers(const std::vector<std::string_view>& arguments);

}  // namespace fastcnn
