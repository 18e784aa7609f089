#pragma once

#include <algorithm>
#include <cstdint>

namespace fastcnn {

// a / b, rounded up; a >= 0, b > 0.
constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// The smallest multiple of `unit` that is at least a.
constexpr std::int64_t round_up(std::int64_t a, std::int64_t unit) { return ceil_div(a, unit) * unit; }

// The smallest step, a multiple of `unit`, that needs no more steps over `extent` than `limit` does.
constexpr std::int64_t even_step(std::int64_t extent, std::int64_t limit, std::int64_t unit) {
  const std::int64_t steps = std::max<std::int64_t>(ceil_div(extent, std::max(limit, unit)), 1);
  return std::max(round_up(ceil_div(extent, steps), unit), unit);
}

}  // namespace fastcnn
