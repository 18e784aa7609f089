#include "ops/avg_pool2d.h"

namespace fastcnn {

void AvgPool2d::forward(const ForwardArgs& args) const {
  const Pooling p = slide_pool(windows_, args.x[0].spec.shape, kind_);
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    pool_forward<T>(p, f_, args, [&](std::int64_t pixel, std::int64_t pixel_end) {
      kernels<T>().avg_pool2d(p, args.x[0].as<T>(), pixel, pixel_end, args.y.as<T>());
    });
  });
}

void AvgPool2d::backward(const BackwardArgs& args) const {
  if (!args.dx[0]) return;
  const Pooling p = slide_pool(windows_, args.dx[0].spec.shape, kind_);
  dispatch_floating(args.dy.spec.dtype, [&]<class T>() {
    pool_backward<T>(p, f_, args, [&](const PoolBand& band, const T* dz) {
      T* dx = args.dx[0].as<T>() + band.image * p.h.in * p.w.in * p.channels;
      kernels<T>().avg_pool2d_gradient(p, band.dy_row, dz, band.begin, band.end, dx);
    });
  });
}

}  // namespace fastcnn
