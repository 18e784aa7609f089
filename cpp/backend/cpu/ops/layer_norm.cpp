#include "ops/layer_norm.h"

#include <algorithm>
#include <cmath>

#include "backend/cpu/kernels.h"
#include "backend/cpu/op_kernel.h"
#include "core/ceil_div.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

// A batch as rows, one per sample, and its cut into blocks of rows, each with sums for gamma and beta of its own.
struct Rows {
  std::int64_t count, size;
  std::int64_t planes;  // above 1, gamma and beta lie by plane and then by pixel, rows by pixel and then by plane
  std::int64_t block, blocks;

  Rows(const Spec& x, const Shape& normalized) : size(normalized.numel()) {
    count = x.shape.numel() / size;
    planes = x.is_channels_last() && normalized.rank() == 3 ? x.shape[1] : 1;  // of rank 4 they are stored as x is
    constexpr std::int64_t max_blocks = 64, min_elements = 1 << 14;
    block = std::max(ceil_div(count, max_blocks), ceil_div(min_elements, size));
    blocks = ceil_div(count, block);
  }

  // Bytes of gamma, or of beta, in the order of a row; 0 where they lie so.
  std::size_t turned_bytes(DType dtype) const {
    return planes > 1 ? align_up(static_cast<std::size_t>(size) * size_of(dtype)) : 0;
  }

  // Calls body(row) in parallel, block by block; `passes` over the elements.
  template <class F>
  void for_each(std::int64_t passes, F body) const {
    parallel_for(blocks, passes * block * size, [&](std::int64_t number, int) {
      for (std::int64_t row = number * block; row < std::min(count, (number + 1) * block); ++row) body(row, number);
    });
  }
};

// From rows x cols to cols x rows.
template <class T>
void transpose(const T* from, std::int64_t rows, std::int64_t cols, T* to) {
  for (std::int64_t c = 0; c < cols; ++c)
    for (std::int64_t r = 0; r < rows; ++r) to[c * rows + r] = from[r * cols + c];
}

// gamma or beta in the order of a row, in `room` where that is another; null where it is absent.
template <class T>
const T* in_row_order(const Rows& rows, std::span<const ConstView> x, std::size_t i, T* room) {
  const T* given = i < x.size() ? x[i].as<T>() : nullptr;
  if (given == nullptr || rows.planes == 1) return given;
  transpose(given, rows.planes, rows.size / rows.planes, room);
  return room;
}

template <class T>
LayerNormRow<T> row_of(const Rows& rows, const T* x, std::int64_t row, const T* statistics, const T* gamma,
                       const T* beta) {
  return {.n = rows.size,
          .x = x + row * rows.size,
          .mean = statistics[0],
          .inverse = statistics[1],
          .gamma = gamma,
          .beta = beta};
}

ScratchSize scratch(const LayerNorm& op, Specs x, Pass pass) {
  const Rows rows(x[0], op.shape());
  const std::size_t turned = rows.turned_bytes(x[0].dtype);
  if (pass != Pass::backward) return {.shared = 2 * turned};
  const auto sums = static_cast<std::size_t>(2 * rows.blocks * rows.size) * size_of(x[0].dtype);
  return {.shared = 3 * turned + sums};
}

template <class F>
void normalize(const LayerNorm& op, const StepArgs& args, F find_statistics) {
  const Rows rows(args.y[0].spec, op.shape());
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    const T* gamma = in_row_order(rows, args.x, 1, args.scratch.shared<T>());
    const T* beta =
        in_row_order(rows, args.x, 2, args.scratch.after(rows.turned_bytes(args.y[0].spec.dtype)).template shared<T>());
    const T* x = args.x[0].as<T>();
    rows.for_each(6, [&](std::int64_t row, std::int64_t) {
      T unsaved[2];
      T* statistics = args.saved != nullptr ? static_cast<T*>(args.saved) + 2 * row : unsaved;
      find_statistics(x + row * rows.size, rows.size, statistics);
      kernels<T>().layer_norm(row_of(rows, x, row, statistics, gamma, beta), args.y[0].as<T>() + row * rows.size);
    });
  });
}

// Saved are the mean and 1 / deviation of each row.
void forward(const LayerNorm& op, const StepArgs& args) {
  normalize(op, args, [eps = op.eps()]<class T>(const T* x, std::int64_t n, T* statistics) {
    T variance;
    kernels<T>().row_statistics(x, n, &statistics[0], &variance);
    statistics[1] = static_cast<T>(1 / std::sqrt(static_cast<double>(variance) + eps));
  });
}

void recompute(const LayerNorm& op, const StepArgs& args) {
  normalize(op, args, []<class T>(const T*, std::int64_t, T*) {});
}

void backward(const LayerNorm& op, const StepArgs& args) {
  const Rows rows(args.dy[0].spec, op.shape());
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    const auto gradient = [&](std::size_t i) { return i < args.dx.size() ? args.dx[i].as<T>() : nullptr; };
    T *dx = gradient(0), *const affine[] = {gradient(1), gradient(2)};
    const std::size_t turned = rows.turned_bytes(args.dy[0].spec.dtype);
    const T* gamma = in_row_order(rows, args.x, 1, args.scratch.shared<T>());
    T* sums = args.scratch.after(3 * turned).template shared<T>();  // [block][gamma, beta][element]
    if (affine[0] != nullptr || affine[1] != nullptr) std::fill_n(sums, 2 * rows.blocks * rows.size, T{0});
    rows.for_each(12, [&](std::int64_t row, std::int64_t block) {
      T* own = sums + 2 * block * rows.size;
      const T* statistics = static_cast<const T*>(args.saved) + 2 * row;
      const std::int64_t at = row * rows.size;
      kernels<T>().layer_norm_gradient(row_of<T>(rows, args.x[0].as<T>(), row, statistics, gamma, nullptr),
                                       args.dy[0].as<T>() + at, dx != nullptr ? dx + at : nullptr,
                                       affine[0] != nullptr ? own : nullptr,
                                       affine[1] != nullptr ? own + rows.size : nullptr);
    });
    for (std::size_t i = 0; i < 2; ++i) {
      if (affine[i] == nullptr) continue;
      T* total = rows.planes > 1 ? args.scratch.after((1 + i) * turned).template shared<T>() : affine[i];
      const T* of_blocks = sums + static_cast<std::int64_t>(i) * rows.size;
      parallel_ranges(rows.size, 2 * rows.blocks, [&](std::int64_t begin, std::int64_t end) {
        kernels<T>().column_sums(of_blocks + begin, rows.blocks, end - begin, 2 * rows.size, total + begin);
      });
      if (rows.planes > 1) transpose(total, rows.size / rows.planes, rows.planes, affine[i]);
    }
  });
}

}  // namespace

KernelPtr make_layer_norm(const KernelRequest& request) {
  return make_kernel<LayerNorm>(request, {.forward = forward,
                                          .backward = backward,
                                          .recompute = recompute,
                                          .scratch = scratch,
                                          .in_place = true});
}

}  // namespace fastcnn
