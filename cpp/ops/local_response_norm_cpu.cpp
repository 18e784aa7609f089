#include "ops/local_response_norm.h"
#include "ops/parallel.h"

namespace fastcnn {
namespace {

std::int64_t pixels_of(const Shape& shape) { return shape[0] * shape[2] * shape[3]; }

}  // namespace

void LocalResponseNorm::forward(const ForwardArgs& args) const {
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    const std::int64_t channels = args.y.spec.shape[1];
    const T* x = args.x[0].as<T>();
    T* y = args.y.as<T>();
    parallel_ranges(pixels_of(args.y.spec.shape), channels * (lrn_.size + 10),
                    [&](std::int64_t begin, std::int64_t end, int worker) {
                      kernels<T>().lrn(lrn_, x + begin * channels, y + begin * channels, end - begin, channels,
                                       args.scratch.of_worker<T>(worker));
                    });
  });
}

void LocalResponseNorm::backward(const BackwardArgs& args) const {
  if (!args.dx[0]) return;
  dispatch_floating(args.dy.spec.dtype, [&]<class T>() {
    const std::int64_t channels = args.dy.spec.shape[1];
    const T* x = args.x[0].as<T>();
    const T* dy = args.dy.as<T>();
    T* dx = args.dx[0].as<T>();
    parallel_ranges(pixels_of(args.dy.spec.shape), 2 * channels * (lrn_.size + 10),
                    [&](std::int64_t begin, std::int64_t end, int worker) {
                      const std::int64_t at = begin * channels;
                      kernels<T>().lrn_gradient(lrn_, x + at, dy + at, dx + at, end - begin, channels,
                                                args.scratch.of_worker<T>(worker));
                    });
  });
}

}  // namespace fastcnn
