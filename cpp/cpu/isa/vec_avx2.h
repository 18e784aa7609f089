#pragma once

#include "cpu/generic/vec.h"

namespace fastcnn::avx2 {

struct Tag {};

template <class T>
using Vec = generic::Vec<T, 32, Tag>;

}  // namespace fastcnn::avx2
