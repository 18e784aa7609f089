// The definition of a convolution as one loop nest: what the other algorithms are tested against, and the
// last resort. On one thread.
#include <algorithm>

#include "backend/cpu/kernels.h"
#include "backend/cpu/conv2d/algorithm.h"

namespace fastcnn {
namespace {

// Calls f(index in x, index in w, index in y) for every product x * w that is summed into an element of y.
template <class F>
void for_each_product(const Conv2dProblem& p, F f) {
  for (std::int64_t n = 0; n < p.n; ++n)
    for (std::int64_t oh = 0; oh < p.h_out; ++oh)
      for (std::int64_t ow = 0; ow < p.w_out; ++ow)
        for (std::int64_t co = 0; co < p.c_out; ++co)
          for (std::int64_t kh = 0; kh < p.k_h; ++kh)
            for (std::int64_t kw = 0; kw < p.k_w; ++kw) {
              const std::int64_t ih = oh * p.stride_h - p.pad_h + kh * p.dilation_h;
              const std::int64_t iw = ow * p.stride_w - p.pad_w + kw * p.dilation_w;
              if (ih < 0 || ih >= p.h_in || iw < 0 || iw >= p.w_in) continue;
              const std::int64_t first_in = co / p.group_out() * p.group_in();
              for (std::int64_t ci = 0; ci < p.group_in(); ++ci)
                f(((n * p.h_in + ih) * p.w_in + iw) * p.c_in + first_in + ci,
                  ((co * p.k_h + kh) * p.k_w + kw) * p.group_in() + ci,
                  ((n * p.h_out + oh) * p.w_out + ow) * p.c_out + co);
            }
}

template <class T>
class Reference final : public Conv2dAlgorithm<T> {
 public:
  std::string_view name() const override { return "reference"; }

  void forward(const Conv2dProblem& p, const T* x, const T* w, const GemmEpilogue<T>& epilogue, T* y,
               const Scratch&, const BatchStatistics<T>*) const override {
    const std::int64_t size = p.pixels() * p.c_out;
    for (std::int64_t i = 0; i < size; ++i)
      y[i] = epilogue.bias != nullptr ? epilogue.bias[i % p.c_out] : T{0};
    for_each_product(p, [&](auto at_x, auto at_w, auto at_y) { y[at_y] += x[at_x] * w[at_w]; });
    if (epilogue.residual != nullptr) kernels<T>().add(y, epilogue.residual, y, size);
    kernels<T>().activation(epilogue.activation, y, y, size);
  }

  void backward_data(const Conv2dProblem& p, const T* dy, const T* w, T* dx, const Scratch&) const override {
    std::fill_n(dx, p.n * p.h_in * p.w_in * p.c_in, T{0});
    for_each_product(p, [&](auto at_x, auto at_w, auto at_y) { dx[at_x] += dy[at_y] * w[at_w]; });
  }

  void backward_weights(const Conv2dProblem& p, const T* x, const T* dy, T* dw,
                        const Scratch&) const override {
    std::fill_n(dw, p.weights(), T{0});
    for_each_product(p, [&](auto at_x, auto at_w, auto at_y) { dw[at_w] += x[at_x] * dy[at_y]; });
  }
};

}  // namespace

template <class T>
const Conv2dAlgorithm<T>& conv2d_reference() {
  static const Reference<T> algorithm;
  return algorithm;
}

template const Conv2dAlgorithm<float>& conv2d_reference();
template const Conv2dAlgorithm<double>& conv2d_reference();

}  // namespace fastcnn
