#include "ops/color_transform.h"

#include <cmath>

#include "backend/cpu/op_kernel.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

constexpr double rgb_to_yuv[3][3] = {
    {0.2126, 0.7152, 0.0722}, {-0.09991, -0.33609, 0.436}, {0.615, -0.55861, -0.05639}};
// Rows add up to 1, so that white is (1, 1, 1).
constexpr double rgb_to_xyz[3][3] = {{0.49, 0.31, 0.2}, {0.17697, 0.8124, 0.01063}, {0, 0.01, 0.99}};

template <class T>
struct Pixel {
  T v[3];
};

template <class T>
Pixel<T> times(const double (&m)[3][3], const Pixel<T>& p) {
  Pixel<T> q;
  for (int i = 0; i < 3; ++i)
    q.v[i] = static_cast<T>(m[i][0]) * p.v[0] + static_cast<T>(m[i][1]) * p.v[1] + static_cast<T>(m[i][2]) * p.v[2];
  return q;
}

template <class T>
Pixel<T> times_transposed(const double (&m)[3][3], const Pixel<T>& p) {
  Pixel<T> q;
  for (int i = 0; i < 3; ++i)
    q.v[i] = static_cast<T>(m[0][i]) * p.v[0] + static_cast<T>(m[1][i]) * p.v[1] + static_cast<T>(m[2][i]) * p.v[2];
  return q;
}

// The lightness function of L*a*b*: a cube root that is straight near 0, where its slope would be infinite.
constexpr double bend = 6.0 / 29;

template <class T>
T lightness(T x) {
  return x > static_cast<T>(bend * bend * bend) ? std::cbrt(x)
                                                : x * static_cast<T>(1 / (3 * bend * bend)) + static_cast<T>(4.0 / 29);
}

template <class T>
T lightness_derivative(T x) {
  if (x <= static_cast<T>(bend * bend * bend)) return static_cast<T>(1 / (3 * bend * bend));
  const T root = std::cbrt(x);
  return 1 / (3 * root * root);
}

template <class T>
Pixel<T> lab_of(const Pixel<T>& rgb, T offset) {
  Pixel<T> f = times(rgb_to_xyz, rgb);
  for (T& v : f.v) v = lightness(v);
  return {116 * f.v[1] - offset, 500 * (f.v[0] - f.v[1]), 200 * (f.v[1] - f.v[2])};
}

template <class T>
Pixel<T> lab_gradient(const Pixel<T>& rgb, const Pixel<T>& d) {
  const Pixel<T> xyz = times(rgb_to_xyz, rgb);
  Pixel<T> df{500 * d.v[1], 116 * d.v[0] - 500 * d.v[1] + 200 * d.v[2], -200 * d.v[2]};
  for (int i = 0; i < 3; ++i) df.v[i] *= lightness_derivative(xyz.v[i]);
  return times_transposed(rgb_to_xyz, df);
}

// y = f(x) by pixels; y may be x.
template <class T, class F>
void map_pixels(const T* x, T* y, std::int64_t elements, std::int64_t cost, F f) {
  parallel_ranges(elements / 3, cost, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = 3 * begin; i < 3 * end; i += 3) {
      const Pixel<T> p = f(Pixel<T>{x[i], x[i + 1], x[i + 2]}, i);
      for (int j = 0; j < 3; ++j) y[i + j] = p.v[j];
    }
  });
}

constexpr std::int64_t linear_cost = 30, lab_cost = 200;

void forward(const ColorTransform& op, const StepArgs& args) {
  const std::int64_t n = args.y[0].spec.shape.numel();
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    const T* x = args.x[0].as<T>();
    T* y = args.y[0].as<T>();
    if (op.to() == ColorTransform::Space::yuv)
      return map_pixels(x, y, n, linear_cost,
                        [](const Pixel<T>& p, std::int64_t) { return times(rgb_to_yuv, p); });
    const T offset = op.centers() ? T{66} : T{16};
    map_pixels(x, y, n, lab_cost, [offset](const Pixel<T>& p, std::int64_t) { return lab_of(p, offset); });
  });
}

void backward(const ColorTransform& op, const StepArgs& args) {
  if (!args.dx[0]) return;
  const std::int64_t n = args.dy[0].spec.shape.numel();
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    const T* x = args.x[0].as<T>();
    const T* dy = args.dy[0].as<T>();
    T* dx = args.dx[0].as<T>();
    if (op.to() == ColorTransform::Space::yuv)
      return map_pixels(dy, dx, n, linear_cost,
                        [](const Pixel<T>& d, std::int64_t) { return times_transposed(rgb_to_yuv, d); });
    map_pixels(dy, dx, n, lab_cost, [x](const Pixel<T>& d, std::int64_t i) {
      return lab_gradient(Pixel<T>{x[i], x[i + 1], x[i + 2]}, d);
    });
  });
}

}  // namespace

KernelPtr make_color_transform(const KernelRequest& request) {
  return make_kernel<ColorTransform>(request, {.forward = forward, .backward = backward, .in_place = true});
}

}  // namespace fastcnn
