#include "ops/reshape.h"

#include <algorithm>

#include "ops/parallel.h"

namespace fastcnn {
namespace {

// y (cols, rows) = x (rows, cols) transposed, in tiles that keep both sides' cache lines.
template <class T>
void transpose(const T* x, std::int64_t rows, std::int64_t cols, T* y) {
  constexpr std::int64_t tile = 16;
  for (std::int64_t i0 = 0; i0 < rows; i0 += tile)
    for (std::int64_t j0 = 0; j0 < cols; j0 += tile)
      for (std::int64_t j = j0; j < std::min(cols, j0 + tile); ++j)
        for (std::int64_t i = i0; i < std::min(rows, i0 + tile); ++i) y[j * rows + i] = x[i * cols + j];
}

template <class T>
void transpose_images(const T* x, std::int64_t images, std::int64_t rows, std::int64_t cols, T* y) {
  const std::int64_t size = rows * cols;
  parallel_ranges(images, 2 * size * std::int64_t{sizeof(T)}, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) transpose(x + i * size, rows, cols, y + i * size);
  });
}

}  // namespace

void copy_reshaped(ConstView x, View y, void* between) {
  const Shape& from = x.spec.shape;
  const Shape& to = y.spec.shape;
  if (same_storage(from, to)) return parallel_copy(x.data, y.data, static_cast<std::int64_t>(x.spec.bytes()));
  dispatch_floating(y.spec.dtype, [&]<class T>() {
    const T* row_major = x.as<T>();
    if (from.rank() == 4) {
      T* out = to.rank() == 4 ? static_cast<T*>(between) : y.as<T>();
      transpose_images(x.as<T>(), from[0], from[2] * from[3], from[1], out);
      row_major = out;
    }
    if (to.rank() == 4) transpose_images(row_major, to[0], to[1], to[2] * to[3], y.as<T>());
  });
}

void Reshape::forward(const ForwardArgs& args) const {
  copy_reshaped(args.x[0], args.y, args.scratch.shared<std::byte>());
}

void Reshape::backward(const BackwardArgs& args) const {
  if (args.dx[0]) copy_reshaped(args.dy, args.dx[0], args.scratch.shared<std::byte>());
}

}  // namespace fastcnn
