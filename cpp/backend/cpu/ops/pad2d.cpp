#include "ops/pad2d.h"

#include <algorithm>

#include "backend/cpu/op_kernel.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

// Columns [begin, end) of y are those of x from 0 on, or from where they are cut; around them lies what is added.
struct Middle {
  std::int64_t begin, end;
};

Middle middle_of(std::int64_t before, std::int64_t extent, std::int64_t out) {
  const std::int64_t begin = std::clamp<std::int64_t>(before, 0, out);
  return {begin, std::clamp<std::int64_t>(before + extent, begin, out)};
}

void forward(const Pad2d& op, const StepArgs& args) {
  const Shape& in = args.x[0].spec.shape;
  const Shape& out = args.y[0].spec.shape;
  const std::int64_t left = op.options().amounts[0], top = op.options().amounts[2], c = in[1];
  const Middle middle = middle_of(left, in[3], out[3]);
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    const T value = static_cast<T>(op.options().value);
    const std::int64_t bytes = 2 * out[3] * c * std::int64_t{sizeof(T)};
    parallel_ranges(in[0] * out[2], bytes, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        T* y = args.y[0].as<T>() + row * out[3] * c;
        const std::int64_t from = op.source(row % out[2], top, in[2]);
        if (from < 0) {
          std::fill_n(y, out[3] * c, value);
          continue;
        }
        const T* x = args.x[0].as<T>() + (row / out[2] * in[2] + from) * in[3] * c;
        const auto side = [&](std::int64_t first, std::int64_t last) {
          for (std::int64_t i = first; i < last; ++i) {
            const std::int64_t pixel = op.source(i, left, in[3]);
            if (pixel < 0)
              std::fill_n(y + i * c, c, value);
            else
              std::copy_n(x + pixel * c, c, y + i * c);
          }
        };
        side(0, middle.begin);
        std::copy_n(x + (middle.begin - left) * c, (middle.end - middle.begin) * c, y + middle.begin * c);
        side(middle.end, out[3]);
      }
    });
  });
}

// By rows of dx: each adds up the rows of dy that came from it, from top to bottom.
void backward(const Pad2d& op, const StepArgs& args) {
  if (!args.dx[0]) return;
  const Shape& in = args.dx[0].spec.shape;
  const Shape& out = args.dy[0].spec.shape;
  const std::int64_t left = op.options().amounts[0], top = op.options().amounts[2], c = in[1];
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    const std::int64_t bytes = 3 * std::max(in[3], out[3]) * c * std::int64_t{sizeof(T)};
    parallel_ranges(in[0] * in[2], bytes, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        T* dx = args.dx[0].as<T>() + row * in[3] * c;
        std::fill_n(dx, in[3] * c, T{0});
        for (std::int64_t i = 0; i < out[2]; ++i) {
          if (op.source(i, top, in[2]) != row % in[2]) continue;
          const T* dy = args.dy[0].as<T>() + (row / in[2] * out[2] + i) * out[3] * c;
          for (std::int64_t j = 0; j < out[3]; ++j) {
            const std::int64_t pixel = op.source(j, left, in[3]);
            if (pixel < 0) continue;
            for (std::int64_t k = 0; k < c; ++k) dx[pixel * c + k] += dy[j * c + k];
          }
        }
      }
    });
  });
}

}  // namespace

KernelPtr make_pad2d(const KernelRequest& request) {
  return make_kernel<Pad2d>(request, {.forward = forward, .backward = backward});
}

}  // namespace fastcnn
