// Shapes that pooling is tested on.
#pragma once

#include <ostream>
#include <vector>

#include "ops/window.h"

namespace fastcnn::testing {

struct PoolCase {
  const char* name;
  Shape x;
  Pair kernel;
  Pair stride;
  Pair pad{0, 0};
  bool ceil_mode = false;

  WindowSpec windows() const {
    return {.kernel = kernel, .stride = stride, .pad = pad, .ceil_mode = ceil_mode};
  }
  friend void PrintTo(const PoolCase& c, std::ostream* out) { *out << c.name; }
};

inline const std::vector<PoolCase> pool_cases = {
    {"one_pixel", {1, 1, 1, 1}, {1, 1}, {1, 1}},
    {"one_pixel_padded", {2, 3, 1, 1}, {3, 3}, {1, 1}, {1, 1}},
    {"lenet", {3, 20, 24, 24}, {2, 2}, {2, 2}},
    {"alexnet_overlapping", {2, 96, 15, 15}, {3, 3}, {2, 2}},
    {"resnet_padded", {2, 64, 28, 28}, {3, 3}, {2, 2}, {1, 1}},
    {"ceil", {2, 17, 10, 11}, {3, 3}, {2, 2}, {0, 0}, true},
    {"ceil_padded", {2, 5, 9, 6}, {3, 2}, {2, 3}, {1, 1}, true},
    {"ceil_drops_a_window", {1, 3, 5, 5}, {2, 2}, {3, 3}, {1, 1}, true},
    {"ceil_clips_the_only_window", {2, 3, 3, 4}, {4, 5}, {3, 2}, {0, 0}, true},
    {"stride_beyond_kernel", {2, 7, 23, 29}, {2, 3}, {5, 4}},
    {"rectangular", {2, 33, 9, 21}, {1, 5}, {2, 1}, {0, 2}},
    {"prime_sizes", {3, 13, 17, 19}, {5, 3}, {3, 2}, {2, 1}},
    {"global", {4, 31, 7, 7}, {7, 7}, {7, 7}},
    {"window_of_many_cells", {2, 5, 19, 18}, {17, 16}, {1, 1}},
    {"many_bands", {5, 64, 40, 40}, {3, 3}, {1, 1}, {1, 1}},
    {"empty_batch", {0, 3, 8, 8}, {2, 2}, {2, 2}},
};

}  // namespace fastcnn::testing
