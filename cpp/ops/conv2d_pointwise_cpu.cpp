// A 1x1 kernel at stride 1 is a matrix product of pixels and channels as they lie in memory.
#include "cpu/kernels.h"
#include "ops/conv2d_algorithm.h"
#include "ops/conv2d_weight_gradient.h"

namespace fastcnn {
namespace {

template <class T>
class Pointwise final : public Conv2dAlgorithm<T> {
 public:
  std::string_view name() const override { return "pointwise"; }

  std::string_view refusal(const Conv2dProblem& p, Conv2dPass) const override {
    if (p.k_h != 1 || p.k_w != 1) return "kernel is not 1x1";
    if (p.stride_h != 1 || p.stride_w != 1) return "stride is not 1";
    if (p.pad_h != 0 || p.pad_w != 0) return "there is padding";
    return {};
  }

  ScratchSize scratch(const Conv2dProblem& p, Conv2dPass pass) const override {
    if (pass != Conv2dPass::backward_weights) return {};
    return {.shared = WeightGradientCut::of<T>(p).partial_elements(p) * sizeof(T)};
  }

  void forward(const Conv2dProblem& p, const T* x, const T* w, const Epilogue<T>& epilogue, T* y,
               const Scratch&) const override {
    for (std::int64_t group = 0; group < p.groups; ++group) {
      const std::int64_t out = group * p.group_out();
      parallel_gemm<T>({.trans_b = true,
                        .m = p.pixels(),
                        .n = p.group_out(),
                        .k = p.group_in(),
                        .a = x + group * p.group_in(),
                        .lda = p.c_in,
                        .b = w + out * p.group_in(),
                        .ldb = p.group_in(),
                        .c = y + out,
                        .ldc = p.c_out,
                        .epilogue = epilogue.at(out, out)});
    }
  }

  void backward_data(const Conv2dProblem& p, const T* dy, const T* w, T* dx, const Scratch&) const override {
    for (std::int64_t group = 0; group < p.groups; ++group) {
      const std::int64_t out = group * p.group_out();
      parallel_gemm<T>({.m = p.pixels(),
                        .n = p.group_in(),
                        .k = p.group_out(),
                        .a = dy + out,
                        .lda = p.c_out,
                        .b = w + out * p.group_in(),
                        .ldb = p.group_in(),
                        .c = dx + group * p.group_in(),
                        .ldc = p.c_in});
    }
  }

  void backward_weights(const Conv2dProblem& p, const T* x, const T* dy, T* dw,
                        const Scratch& scratch) const override {
    weight_gradient<T>(p, WeightGradientCut::of<T>(p), dy, dw, scratch.template shared<T>(),
                       [&](int, std::int64_t group, std::int64_t pixel, auto...) {
                         return Columns<T>{x + pixel * p.c_in + group * p.group_in(), p.c_in};
                       });
  }
};

}  // namespace

template <class T>
const Conv2dAlgorithm<T>& conv2d_pointwise() {
  static const Pointwise<T> algorithm;
  return algorithm;
}

template const Conv2dAlgorithm<float>& conv2d_pointwise();
template const Conv2dAlgorithm<double>& conv2d_pointwise();

}  // namespace fastcnn
