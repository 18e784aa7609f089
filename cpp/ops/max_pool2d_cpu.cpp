#include "cpu/kernels.h"
#include "ops/max_pool2d.h"
#include "ops/pool2d.h"

namespace fastcnn {
namespace {

template <class T, class Index, class Kernel>
void forward_with(Kernel kernel, const Windows2d& g, const ForwardArgs& args) {
  const Shape& y = args.y.spec.shape;
  for_pixel_ranges(g, y, [&](std::int64_t pixel, std::int64_t pixel_end) {
    kernel(g, y[1], args.x[0].as<T>(), pixel, pixel_end, args.y.as<T>(), static_cast<Index*>(args.saved));
  });
}

template <class T, class Index, class Kernel>
void backward_with(Kernel kernel, const Windows2d& g, const BackwardArgs& args) {
  const Shape& x = args.dx[0].spec.shape;
  const std::int64_t channels = x[1];
  const std::int64_t y_image = g.h_out * g.w_out * channels;
  const std::int64_t x_image = g.h_in * g.w_in * channels;
  for_bands(g, x, [&](std::int64_t image, std::int64_t row, std::int64_t row_end) {
    kernel(g, channels, args.dy.as<T>() + image * y_image,
           static_cast<const Index*>(args.saved) + image * y_image, row, row_end,
           args.dx[0].as<T>() + image * x_image);
  });
}

}  // namespace

void MaxPool2d::forward(const ForwardArgs& args) const {
  const Windows2d g = slide(windows_, args.x[0].spec.shape);
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    if (index_fits_a_byte()) {
      forward_with<T, std::uint8_t>(kernels<T>().max_pool2d_u8, g, args);
    } else {
      forward_with<T, std::int32_t>(kernels<T>().max_pool2d_i32, g, args);
    }
  });
}

void MaxPool2d::backward(const BackwardArgs& args) const {
  if (!args.dx[0]) return;
  const Windows2d g = slide(windows_, args.dx[0].spec.shape);
  dispatch_floating(args.dy.spec.dtype, [&]<class T>() {
    if (index_fits_a_byte()) {
      backward_with<T, std::uint8_t>(kernels<T>().max_pool2d_gradient_u8, g, args);
    } else {
      backward_with<T, std::int32_t>(kernels<T>().max_pool2d_gradient_i32, g, args);
    }
  });
}

}  // namespace fastcnn
