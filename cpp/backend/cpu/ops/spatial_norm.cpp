#include "ops/spatial_norm.h"

#include <algorithm>

#include "backend/cpu/kernels.h"
#include "backend/cpu/op_kernel.h"
#include "core/parallel.h"

namespace fastcnn {
namespace {

// The windows of a batch, row by row: the unit of work. Row r is row r % h of image r / h.
struct Windows {
  std::int64_t h, w, channels, rows;
  std::int64_t before, after;

  Windows(const Shape& x, std::int64_t size)
      : h(x[2]), w(x[3]), channels(x[1]), rows(x[0] * x[2]), before(size / 2), after((size - 1) / 2) {}
  // Those windows that hold a pixel are around it like its own, turned round.
  Windows mirrored() const {
    Windows turned = *this;
    std::swap(turned.before, turned.after);
    return turned;
  }

  std::int64_t row_elements() const { return w * channels; }
  std::int64_t padded_elements() const { return (before + w + after) * channels; }

  static std::int64_t first(std::int64_t i, std::int64_t before) { return std::max<std::int64_t>(0, i - before); }
  static std::int64_t end(std::int64_t i, std::int64_t after, std::int64_t extent) {
    return std::min(extent, i + after + 1);
  }
  // Pixels of the image in the window at (row, column).
  std::int64_t count(std::int64_t row, std::int64_t column) const {
    const std::int64_t y = row % h;
    return (end(y, after, h) - first(y, before)) * (end(column, after, w) - first(column, before));
  }

  template <class T>
  void sums(const T* x, std::int64_t row, bool squares, T* padded, T* sums) const {
    const std::int64_t y = row % h, top = first(y, before);
    kernels<T>().box_sums({.x = x + (row - y + top) * row_elements(),
                           .rows = end(y, after, h) - top,
                           .pixels = w,
                           .channels = channels,
                           .before = before,
                           .after = after},
                          squares, padded, sums);
  }
};

// One sweep over a batch, in parallel by rows, each with a place for its sums.
template <class T>
class Sweep {
 public:
  Sweep(const Windows& windows, const Scratch& scratch) : windows_(windows), scratch_(scratch) {}

  static std::size_t bytes_per_thread(const Windows& windows) {
    return static_cast<std::size_t>(windows.padded_elements() + windows.row_elements()) * sizeof(T);
  }

  // Calls body(first element, row, sums) with the sums over the windows of x.
  template <class F>
  void operator()(const T* x, bool squares, F body) const {
    const std::int64_t n = windows_.row_elements();
    parallel_ranges(windows_.rows, n * (2 * (windows_.before + windows_.after) + 12),
                    [&](std::int64_t begin, std::int64_t end, int worker) {
                      T* sums = scratch_.of_worker<T>(worker);
                      T* padded = sums + n;
                      for (std::int64_t row = begin; row < end; ++row) {
                        windows_.sums(x, row, squares, padded, sums);
                        body(row * n, row, sums);
                      }
                    });
  }

 private:
  Windows windows_;
  Scratch scratch_;
};

// Calls body(element, 1 / pixels of its window) for the elements of a row.
template <class T, class F>
void for_elements(const Windows& g, std::int64_t row, F body) {
  for (std::int64_t column = 0; column < g.w; ++column) {
    const T share = T{1} / static_cast<T>(g.count(row, column));
    for (std::int64_t i = column * g.channels; i < (column + 1) * g.channels; ++i) body(i, share);
  }
}

template <class T>
void subtract_means(const Windows& g, const Sweep<T>& sweep, const T* x, T* z) {
  sweep(x, false, [&](std::int64_t at, std::int64_t row, const T* sums) {
    for_elements<T>(g, row, [&](std::int64_t i, T share) { z[at + i] = x[at + i] - share * sums[i]; });
  });
}

ResponseNorm powers(const SpatialNorm::Options& options) {
  const auto size = static_cast<double>(options.size);
  return {.scale = options.alpha / (size * size), .beta = options.beta, .k = options.k};
}

ScratchSize scratch(const SpatialNorm& op, Specs x, Pass pass) {
  const Windows g(x[0].shape, op.options().size);
  const int tensors = (op.options().contrast ? 1 : 0) + (pass == Pass::backward ? 1 : 0);
  return dispatch_floating(x[0].dtype, [&]<class T>() {
    return ScratchSize{.shared = static_cast<std::size_t>(tensors) * align_up(x[0].bytes()),
                       .per_thread = Sweep<T>::bytes_per_thread(g)};
  });
}

void forward(const SpatialNorm& op, const StepArgs& args) {
  dispatch_floating(args.y[0].spec.dtype, [&]<class T>() {
    const Windows g(args.y[0].spec.shape, op.options().size);
    const Sweep<T> sweep(g, args.scratch);
    const T* x = args.x[0].as<T>();
    const T* z = x;
    if (op.options().contrast) {
      subtract_means(g, sweep, x, args.scratch.shared<T>());
      z = args.scratch.shared<T>();
    }
    sweep(z, true, [&](std::int64_t at, std::int64_t, const T* sums) {
      kernels<T>().response_norm(powers(op.options()), sums, x + at, args.y[0].as<T>() + at, g.row_elements());
    });
  });
}

// With s = k + a * sum of z^2: dL/ds_j = -beta dy_j x_j s_j^(-beta - 1), so
//   dL/dz_i = -2 a beta z_i * sum of dy x s^(-beta - 1) over the windows that hold i,
//   dL/dx_i = dy_i s_i^-beta + dL/dz_i - sum of dL/dz / count over the windows that hold i,
// the last where z has its mean subtracted.
void backward(const SpatialNorm& op, const StepArgs& args) {
  if (!args.dx[0]) return;
  dispatch_floating(args.dy[0].spec.dtype, [&]<class T>() {
    const Windows g(args.dy[0].spec.shape, op.options().size);
    const std::int64_t n = g.row_elements();
    const ResponseNorm p = powers(op.options());
    const T slope = static_cast<T>(2 * p.scale * p.beta);
    const Sweep<T> sweep(g, args.scratch), mirrored(g.mirrored(), args.scratch);
    const T* x = args.x[0].as<T>();
    T* dx = args.dx[0].as<T>();
    T* terms = args.scratch.shared<T>();
    T* differences = args.scratch.after(args.dy[0].spec.bytes()).template shared<T>();
    if (op.options().contrast) subtract_means(g, sweep, x, differences);
    const T* z = op.options().contrast ? differences : x;
    sweep(z, true, [&](std::int64_t at, std::int64_t, const T* sums) {
      kernels<T>().response_norm_gradient(p, sums, x + at, args.dy[0].as<T>() + at, dx + at, terms + at, n);
    });
    mirrored(terms, false, [&](std::int64_t at, std::int64_t row, const T* sums) {
      if (!op.options().contrast) {
        for (std::int64_t i = 0; i < n; ++i) dx[at + i] -= slope * z[at + i] * sums[i];
        return;
      }
      for_elements<T>(g, row, [&](std::int64_t i, T share) {
        const T dz = -slope * z[at + i] * sums[i];
        dx[at + i] += dz;
        differences[at + i] = share * dz;  // z is not read again
      });
    });
    if (!op.options().contrast) return;
    mirrored(differences, false, [&](std::int64_t at, std::int64_t, const T* sums) {
      for (std::int64_t i = 0; i < n; ++i) dx[at + i] -= sums[i];
    });
  });
}

}  // namespace

KernelPtr make_spatial_norm(const KernelRequest& request) {
  const bool in_place = request.pass == Pass::backward;
  return make_kernel<SpatialNorm>(
      request, {.forward = forward, .backward = backward, .scratch = scratch, .in_place = in_place});
}

}  // namespace fastcnn
