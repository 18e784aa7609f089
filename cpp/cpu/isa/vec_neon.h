#pragma once

#include "cpu/generic/vec.h"

namespace fastcnn::neon {

struct Tag {};

template <class T>
using Vec = generic::Vec<T, 16, Tag>;

}  // namespace fastcnn::neon
