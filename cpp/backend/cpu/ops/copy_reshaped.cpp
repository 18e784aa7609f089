#include "backend/cpu/ops/copy_reshaped.h"

#include <algorithm>

#include "core/parallel.h"

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

// Where channels-last and row-major order are the same, or nothing changes at all.
bool same_storage(const Spec& x, const Spec& y) {
  const auto order_agrees = [](const Spec& spec) {
    return !spec.is_channels_last() || spec.shape[1] == 1 || spec.shape[2] * spec.shape[3] == 1;
  };
  return x == y || (order_agrees(x) && order_agrees(y));
}

std::size_t reshaping_bytes(const Spec& x, const Spec& y) {
  return x.is_channels_last() && y.is_channels_last() && !same_storage(x, y) ? y.bytes() : 0;
}

void copy_reshaped(ConstView x, View y, std::byte* between) {
  if (same_storage(x.spec, y.spec)) return parallel_copy(x.data, y.data, static_cast<std::int64_t>(x.spec.bytes()));
  const Shape& from = x.spec.shape;
  const Shape& to = y.spec.shape;
  dispatch_floating(y.spec.dtype, [&]<class T>() {
    const T* row_major = x.as<T>();
    if (x.spec.is_channels_last()) {
      T* out = y.spec.is_channels_last() ? reinterpret_cast<T*>(between) : y.as<T>();
      transpose_images(x.as<T>(), from[0], from[2] * from[3], from[1], out);
      row_major = out;
    }
    if (y.spec.is_channels_last()) transpose_images(row_major, to[0], to[1], to[2] * to[3], y.as<T>());
  });
}

}  // namespace fastcnn
