#include "ops/resize2d.h"

#include <algorithm>

#include "backend/cpu/op_kernel.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

void forward(const Resize2d& op, const StepArgs& args) {
  const Shape& in = args.x[0].spec.shape;
  const Shape& out = args.y[0].spec.shape;
  const std::int64_t c = in[1];
  Resize2d::Sample* const rows = args.scratch.shared<Resize2d::Sample>();
  const Resize2d::Sample* const cols = rows + out[2];
  op.fill_samples(in, out, rows);
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    parallel_ranges(in[0] * out[2], 8 * out[3] * c, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const Resize2d::Sample& v = rows[row % out[2]];
        const T* image = args.x[0].as<T>() + row / out[2] * in[2] * in[3] * c;
        const T* upper = image + v.first * in[3] * c;
        const T* lower = image + v.second * in[3] * c;
        T* y = args.y[0].as<T>() + row * out[3] * c;
        for (std::int64_t j = 0; j < out[3]; ++j, y += c) {
          const std::int64_t a = cols[j].first * c, b = cols[j].second * c;
          if (op.options().mode == Resize2d::Mode::nearest) {
            std::copy_n(upper + a, c, y);
            continue;
          }
          const T right = static_cast<T>(cols[j].weight), down = static_cast<T>(v.weight);
          for (std::int64_t k = 0; k < c; ++k) {
            const T above = upper[a + k] + right * (upper[b + k] - upper[a + k]);
            const T below = lower[a + k] + right * (lower[b + k] - lower[a + k]);
            y[k] = above + down * (below - above);
          }
        }
      }
    });
  });
}

// By rows of dx: each adds up the rows of dy that were made of it, from top to bottom. Their samples are in order.
void backward(const Resize2d& op, const StepArgs& args) {
  if (!args.dx[0]) return;
  const Shape& in = args.dx[0].spec.shape;
  const Shape& out = args.dy[0].spec.shape;
  const std::int64_t c = in[1];
  Resize2d::Sample* const rows = args.scratch.shared<Resize2d::Sample>();
  const Resize2d::Sample* const cols = rows + out[2];
  op.fill_samples(in, out, rows);
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    const std::int64_t work = (in[3] + 8 * out[3] * (1 + out[2] / in[2])) * c;
    parallel_ranges(in[0] * in[2], work, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        T* dx = args.dx[0].as<T>() + row * in[3] * c;
        std::fill_n(dx, in[3] * c, T{0});
        const std::int64_t here = row % in[2];
        for (std::int64_t i = 0; i < out[2]; ++i) {
          const Resize2d::Sample& v = rows[i];
          if (v.first != here && v.second != here) continue;
          const double share = (v.first == here ? 1 - v.weight : 0.0) + (v.second == here ? v.weight : 0.0);
          const T* dy = args.dy[0].as<T>() + (row / in[2] * out[2] + i) * out[3] * c;
          for (std::int64_t j = 0; j < out[3]; ++j, dy += c) {
            T* first = dx + cols[j].first * c;
            T* second = dx + cols[j].second * c;
            const T to_second = static_cast<T>(share * cols[j].weight);
            const T to_first = static_cast<T>(share * (1 - cols[j].weight));
            for (std::int64_t k = 0; k < c; ++k) first[k] += to_first * dy[k];
            if (to_second != 0)
              for (std::int64_t k = 0; k < c; ++k) second[k] += to_second * dy[k];
          }
        }
      }
    });
  });
}

ScratchSize scratch(const Resize2d& op, Specs, Pass) {
  const auto& [h, w] = op.options().output;
  return {.shared = static_cast<std::size_t>(h + w) * sizeof(Resize2d::Sample)};
}

}  // namespace

KernelPtr make_resize2d(const KernelRequest& request) {
  return make_kernel<Resize2d>(request, {.forward = forward, .backward = backward, .scratch = scratch});
}

}  // namespace fastcnn
