#include "backend/cpu/ops/pool2d.h"

namespace fastcnn {

std::int64_t pool_band_rows(const Pooling& p) {
  constexpr std::int64_t elements = 1 << 14;  // with several windows per pixel, as many sums
  const std::int64_t windows = max_windows_of_pixels(p.h, 1) * max_windows_of_pixels(p.w, 1);
  const std::int64_t row = p.w.in * p.channels * std::max<std::int64_t>(1, windows / 4);
  return std::clamp<std::int64_t>(elements / std::max<std::int64_t>(1, row), 1, p.h.in);
}

ScratchSize pool_scratch(const Pooling& p, const Activation& f, DType dtype) {
  if (f.kind == Activation::Kind::identity) return {};
  const std::int64_t rows = max_windows_of_pixels(p.h, pool_band_rows(p));
  return {.per_thread = static_cast<std::size_t>(rows * p.w.out * p.channels) * size_of(dtype)};
}

void pool_winners_backward(const Pooling& p, const Activation& f, const StepArgs& args) {
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    with_pool_winners<T>(p, [&]<class Index>(const PoolWinnerKernels<T, Index>& winners) {
      pool_backward<T>(p, f, args, [&](const PoolBand& band, const T* dz) {
        const std::int64_t y_row = band.image * p.h.out + band.dy_row;
        const Index* index = static_cast<const Index*>(args.saved) + y_row * p.w.out * p.channels;
        T* dx = args.dx[0].as<T>() + band.image * p.h.in * p.w.in * p.channels;
        winners.gradient(p, band.dy_row, dz, index, band.begin, band.end, dx);
      });
    });
  });
}

}  // namespace fastcnn
