#include "ops/avg_pool2d.h"
#include "ops/pool2d.h"

namespace fastcnn {

void pool_averages(const Pooling& p, const Activation& f, const ForwardArgs& args) {
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    pool_forward<T>(p, f, args, [&](std::int64_t pixel, std::int64_t pixel_end) {
      kernels<T>().avg_pool2d(p, args.x[0].as<T>(), pixel, pixel_end, args.y.as<T>());
    });
  });
}

void pool_averages_backward(const Pooling& p, const Activation& f, const BackwardArgs& args) {
  dispatch_floating(args.dy.spec.dtype, [&]<class T>() {
    pool_backward<T>(p, f, args, [&](const PoolBand& band, const T* dz) {
      T* dx = args.dx[0].as<T>() + band.image * p.h.in * p.w.in * p.channels;
      kernels<T>().avg_pool2d_gradient(p, band.dy_row, dz, band.begin, band.end, dx);
    });
  });
}

void AvgPool2d::forward(const ForwardArgs& args) const {
  pool_averages(slide_pool(windows_, args.x[0].spec.shape, count_include_pad_), f_, args);
}

void AvgPool2d::backward(const BackwardArgs& args) const {
  if (!args.dx[0]) return;
  pool_averages_backward(slide_pool(windows_, args.dx[0].spec.shape, count_include_pad_), f_, args);
}

}  // namespace fastcnn
