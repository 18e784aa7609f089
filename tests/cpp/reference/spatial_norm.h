// Response and contrast normalisation within a map by their definition, and their gradient by the chain rule, of one
// channels-last image: the oracle of the tests.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "ops/spatial_norm.h"

namespace fastcnn::reference {

struct SpatialNorm {
  fastcnn::SpatialNorm::Options options;
  std::int64_t h, w, channels;

  using Image = std::vector<double>;

  // Calls body(j) for the elements j of the window around element i.
  template <class F>
  void for_window(std::int64_t i, F body) const {
    const std::int64_t c = i % channels, column = i / channels % w, row = i / channels / w;
    for (std::int64_t y = row - options.size / 2; y <= row + (options.size - 1) / 2; ++y)
      for (std::int64_t x = column - options.size / 2; x <= column + (options.size - 1) / 2; ++x)
        if (y >= 0 && y < h && x >= 0 && x < w) body((y * w + x) * channels + c);
  }

  // What is squared: x, or x minus the mean over its window.
  Image differences(const Image& x) const {
    Image z = x;
    for (std::size_t i = 0; options.contrast && i < x.size(); ++i) {
      double sum = 0, count = 0;
      for_window(static_cast<std::int64_t>(i), [&](std::int64_t j) {
        sum += x[static_cast<std::size_t>(j)];
        ++count;
      });
      z[i] -= sum / count;
    }
    return z;
  }

  double scale() const { return options.alpha / static_cast<double>(options.size * options.size); }

  double base(const Image& z, std::size_t i) const {
    double sum = 0;
    for_window(static_cast<std::int64_t>(i), [&](std::int64_t j) {
      sum += z[static_cast<std::size_t>(j)] * z[static_cast<std::size_t>(j)];
    });
    return options.k + scale() * sum;
  }

  Image forward(const Image& x) const {
    const Image z = differences(x);
    Image y = x;
    for (std::size_t i = 0; i < x.size(); ++i) y[i] *= std::pow(base(z, i), -options.beta);
    return y;
  }

  Image backward(const Image& x, const Image& dy) const {
    const Image z = differences(x);
    Image dx(x.size()), dz(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double s = base(z, i);
      const double ds = -options.beta * dy[i] * x[i] * std::pow(s, -options.beta - 1);
      dx[i] = dy[i] * std::pow(s, -options.beta);
      for_window(static_cast<std::int64_t>(i), [&](std::int64_t j) {
        dz[static_cast<std::size_t>(j)] += ds * scale() * 2 * z[static_cast<std::size_t>(j)];
      });
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      dx[i] += dz[i];
      if (!options.contrast) continue;
      double count = 0;
      for_window(static_cast<std::int64_t>(i), [&](std::int64_t) { ++count; });
      for_window(static_cast<std::int64_t>(i),
                 [&](std::int64_t j) { dx[static_cast<std::size_t>(j)] -= dz[i] / count; });
    }
    return dx;
  }
};

}  // namespace fastcnn::reference
