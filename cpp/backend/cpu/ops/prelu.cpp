#include "ops/prelu.h"

#include <algorithm>

#include "backend/cpu/kernels.h"
#include "backend/cpu/op_kernel.h"
#include "core/ceil_div.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

// Storage as rows of one element per slope, channels being the innermost axis of ranks 2 and 4. A single slope is
// taken as `width` equal ones.
struct Rows {
  std::int64_t width, rows, rows_per_block, blocks;
};

constexpr std::int64_t width_of_one = 64;
constexpr std::int64_t block_elements = 1 << 14;

Rows rows_of(const Spec& x, std::int64_t slopes) {
  Rows r{.width = slopes > 1 ? slopes : width_of_one, .rows = 0, .rows_per_block = 0, .blocks = 0};
  r.rows = ceil_div(x.shape.numel(), r.width);
  r.rows_per_block = std::max<std::int64_t>(1, block_elements / r.width);
  r.blocks = ceil_div(r.rows, r.rows_per_block);
  return r;
}

// v in one of two parts, 0 in the other: a product in one arm of a condition would keep a loop from becoming vectors.
template <class T>
struct Split {
  T above, below;
  Split(T x, T v) : above(x > 0 ? v : T{0}), below(x > 0 ? T{0} : v) {}
};

// Calls body(block, row slopes, first element, element after the last) for the blocks, with `width` slopes in a row.
template <class T, class F>
void for_blocks(const Rows& r, std::int64_t n, const T* w, std::int64_t slopes, F body) {
  parallel_for(r.blocks, r.rows_per_block * r.width * 4, [&](std::int64_t block, int) {
    T equal[width_of_one];
    if (slopes == 1) std::fill_n(equal, width_of_one, w[0]);
    const std::int64_t begin = block * r.rows_per_block * r.width;
    body(block, slopes == 1 ? equal : w, begin, std::min(n, begin + r.rows_per_block * r.width));
  });
}

void forward(const PRelu&, const StepArgs& args) {
  const std::int64_t slopes = args.x[1].spec.shape.numel();
  const Rows r = rows_of(args.y[0].spec, slopes);
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    const T* x = args.x[0].as<T>();
    T* y = args.y[0].as<T>();
    const auto block = [&](std::int64_t, const T* w, std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; row += r.width) {
        const std::int64_t width = std::min(r.width, end - row);
        for (std::int64_t i = 0; i < width; ++i) {
          const Split part(x[row + i], x[row + i]);
          y[row + i] = part.above + w[i] * part.below;
        }
      }
    };
    for_blocks<T>(r, args.y[0].spec.shape.numel(), args.x[1].as<T>(), slopes, block);
  });
}

ScratchSize scratch(const PRelu&, Specs x, Pass pass) {
  if (pass != Pass::backward) return {};
  const Rows r = rows_of(x[0], x[1].shape.numel());
  return {.shared = static_cast<std::size_t>((r.blocks + 1) * r.width) * size_of(x[0].dtype)};
}

// dw is summed by block, then over the blocks in order, then over the columns of a single slope.
void backward(const PRelu&, const StepArgs& args) {
  const std::int64_t slopes = args.x[1].spec.shape.numel();
  const Rows r = rows_of(args.dy[0].spec, slopes);
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    const T* x = args.x[0].as<T>();
    const T* dy = args.dy[0].as<T>();
    T* dx = args.dx[0].as<T>();
    T* dw = args.dx[1].as<T>();
    T* partial = dw != nullptr ? args.scratch.shared<T>() : nullptr;
    const auto block = [&](std::int64_t index, const T* w, std::int64_t begin, std::int64_t end) {
      T* sums = partial != nullptr ? partial + index * r.width : nullptr;
      if (sums != nullptr) std::fill_n(sums, r.width, T{0});
      for (std::int64_t row = begin; row < end; row += r.width) {
        const std::int64_t width = std::min(r.width, end - row);
        if (sums != nullptr)
          for (std::int64_t i = 0; i < width; ++i) sums[i] += Split(x[row + i], x[row + i]).below * dy[row + i];
        if (dx == nullptr) continue;
        for (std::int64_t i = 0; i < width; ++i) {
          const Split part(x[row + i], dy[row + i]);
          dx[row + i] = part.above + w[i] * part.below;
        }
      }
    };
    for_blocks<T>(r, args.dy[0].spec.shape.numel(), args.x[1].as<T>(), slopes, block);
    if (dw == nullptr) return;
    T* sums = partial + r.blocks * r.width;
    kernels<T>().column_sums(partial, r.blocks, r.width, r.width, sums);
    if (slopes > 1) {
      std::copy_n(sums, slopes, dw);
    } else {
      dw[0] = 0;
      for (std::int64_t i = 0; i < r.width; ++i) dw[0] += sums[i];
    }
  });
}

}  // namespace

KernelPtr make_prelu(const KernelRequest& request) {
  return make_kernel<PRelu>(
      request, {.forward = forward, .backward = backward, .scratch = scratch, .in_place = true});
}

}  // namespace fastcnn
