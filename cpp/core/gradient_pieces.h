// The gradient of a parameter, handed on piece by piece while each is in the caches, instead of being kept whole.
#pragma once

#include <cstdint>

namespace fastcnn {

// Rows [row, row + rows) and columns [col, col + cols) of a gradient seen as a matrix, whose rows are those of its first
// extent. Elements are of the parameter's type; ld apart from row to row.
struct GradientPiece {
  const void* data;
  std::int64_t ld;
  std::int64_t row, rows;
  std::int64_t col, cols;
};

class GradientPieces {
 public:
  virtual ~GradientPieces() = default;
  // On any thread. No element comes twice.
  virtual void take(const GradientPiece& piece) = 0;
};

}  // namespace fastcnn
