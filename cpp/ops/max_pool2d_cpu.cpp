#include "ops/max_pool2d.h"
#include "ops/pool2d.h"

namespace fastcnn {
namespace {

template <class T, class Index, class Kernel>
void forward_with(Kernel kernel, const Pooling& p, const Activation& f, const ForwardArgs& args) {
  pool_forward<T>(p, f, args, [&](std::int64_t pixel, std::int64_t pixel_end) {
    kernel(p, args.x[0].as<T>(), pixel, pixel_end, args.y.as<T>(), static_cast<Index*>(args.saved));
  });
}

template <class T, class Index, class Kernel>
void backward_with(Kernel kernel, const Pooling& p, const Activation& f, const BackwardArgs& args) {
  pool_backward<T>(p, f, args, [&](const PoolBand& band, const T* dz) {
    const std::int64_t y_row = band.image * p.h.out + band.dy_row;
    const Index* index = static_cast<const Index*>(args.saved) + y_row * p.w.out * p.channels;
    T* dx = args.dx[0].as<T>() + band.image * p.h.in * p.w.in * p.channels;
    kernel(p, band.dy_row, dz, index, band.begin, band.end, dx);
  });
}

}  // namespace

void MaxPool2d::forward(const ForwardArgs& args) const {
  const Pooling p = slide_pool(windows_, args.x[0].spec.shape);
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    if (index_fits_a_byte()) {
      forward_with<T, std::uint8_t>(kernels<T>().max_pool2d_u8, p, f_, args);
    } else {
      forward_with<T, std::int32_t>(kernels<T>().max_pool2d_i32, p, f_, args);
    }
  });
}

void MaxPool2d::backward(const BackwardArgs& args) const {
  if (!args.dx[0]) return;
  const Pooling p = slide_pool(windows_, args.dx[0].spec.shape);
  dispatch_floating(args.dy.spec.dtype, [&]<class T>() {
    if (index_fits_a_byte()) {
      backward_with<T, std::uint8_t>(kernels<T>().max_pool2d_gradient_u8, p, f_, args);
    } else {
      backward_with<T, std::int32_t>(kernels<T>().max_pool2d_gradient_i32, p, f_, args);
    }
  });
}

}  // namespace fastcnn
