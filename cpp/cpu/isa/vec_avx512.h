#pragma once

#include "cpu/generic/vec.h"

namespace fastcnn::avx512 {

struct Tag {};

template <class T>
using Vec = generic::Vec<T, 64, Tag>;

}  // namespace fastcnn::avx512
