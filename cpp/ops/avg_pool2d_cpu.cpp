#include "cpu/kernels.h"
#include "ops/avg_pool2d.h"
#include "ops/pool2d.h"

namespace fastcnn {

void AvgPool2d::forward(const ForwardArgs& args) const {
  const Windows2d g = slide(windows_, args.x[0].spec.shape);
  const Shape& y = args.y.spec.shape;
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    for_pixel_ranges(g, y, [&](std::int64_t pixel, std::int64_t pixel_end) {
      kernels<T>().avg_pool2d(g, y[1], count_include_pad_, args.x[0].as<T>(), pixel, pixel_end,
                              args.y.as<T>());
    });
  });
}

void AvgPool2d::backward(const BackwardArgs& args) const {
  if (!args.dx[0]) return;
  const Shape& x = args.dx[0].spec.shape;
  const Windows2d g = slide(windows_, x);
  const std::int64_t y_image = g.h_out * g.w_out * x[1];
  const std::int64_t x_image = g.h_in * g.w_in * x[1];
  dispatch_floating(args.dy.spec.dtype, [&]<class T>() {
    for_bands(g, x, [&](std::int64_t image, std::int64_t row, std::int64_t row_end) {
      kernels<T>().avg_pool2d_gradient(g, x[1], count_include_pad_, args.dy.as<T>() + image * y_image, row,
                                       row_end, args.dx[0].as<T>() + image * x_image);
    });
  });
}

}  // namespace fastcnn
