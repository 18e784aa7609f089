// A 1x1 kernel at stride 1 is a matrix product of pixels and channels as they lie in memory.
#include <algorithm>

#include "core/ceil_div.h"
#include "core/thread_pool.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/conv2d/algorithm.h"
#include "backend/cpu/conv2d/weight_gradient.h"

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

  std::int64_t prepared_elements(const Conv2dProblem& p, Conv2dPass pass) const override {
    return packs_weights(p, pass) ? p.groups * group_elements(p, pass) : 0;
  }

  void prepare(const Conv2dProblem& p, Conv2dPass pass, const T* w, T* prepared) const override {
    const bool forward = pass == Conv2dPass::forward;
    for (std::int64_t group = 0; group < p.groups; ++group) {
      pack_b(forward, forward ? p.group_out() : p.group_in(), forward ? p.group_in() : p.group_out(),
             w + group * p.group_out() * p.group_in(), p.group_in(), prepared + group * group_elements(p, pass));
    }
  }

  std::int64_t statistics_parts(const Conv2dProblem& p) const override {
    return packs_weights(p, Conv2dPass::forward) ? ceil_div(p.pixels(), pixels_in_cache(p)) : 0;
  }

  void forward(const Conv2dProblem& p, const T* x, const T* w, const GemmEpilogue<T>& epilogue, T* y,
               const Scratch&, const BatchStatistics<T>* statistics) const override {
    const bool packed = packs_weights(p, Conv2dPass::forward);
    const auto product = [&](std::int64_t group, std::int64_t pixel, std::int64_t pixels) {
      const std::int64_t out = group * p.group_out();
      const std::int64_t at = pixel * p.c_out + out;
      return Gemm<T>{.provider = p.gemm,
                     .trans_b = true,
                     .m = pixels,
                     .n = p.group_out(),
                     .k = p.group_in(),
                     .a = x + pixel * p.c_in + group * p.group_in(),
                     .lda = p.c_in,
                     .b = packed ? w + group * group_elements(p, Conv2dPass::forward) : w + out * p.group_in(),
                     .ldb = p.group_in(),
                     .b_packed = packed,
                     .c = y + at,
                     .ldc = p.c_out,
                     .epilogue = epilogue.at(at, out)};
    };
    if (statistics == nullptr) {
      for (std::int64_t group = 0; group < p.groups; ++group) parallel_gemm(product(group, 0, p.pixels()));
      return;
    }
    const std::int64_t step = pixels_in_cache(p);
    parallel_for(statistics_parts(p), 2 * step * p.weights(), [&](std::int64_t part, int) {
      const std::int64_t pixel = part * step;
      const std::int64_t pixels = std::min(step, p.pixels() - pixel);
      for (std::int64_t group = 0; group < p.groups; ++group) gemm(product(group, pixel, pixels));
      statistics->gather(part, y, pixel, pixels);
    });
  }

  void backward_data(const Conv2dProblem& p, const T* dy, const T* w, T* dx, const Scratch&) const override {
    const bool packed = packs_weights(p, Conv2dPass::backward_data);
    for (std::int64_t group = 0; group < p.groups; ++group) {
      const std::int64_t out = group * p.group_out();
      parallel_gemm<T>(
          {.provider = p.gemm,
           .m = p.pixels(),
           .n = p.group_in(),
           .k = p.group_out(),
           .a = dy + out,
           .lda = p.c_out,
           .b = packed ? w + group * group_elements(p, Conv2dPass::backward_data) : w + out * p.group_in(),
           .ldb = p.group_in(),
           .b_packed = packed,
           .c = dx + group * p.group_in(),
           .ldc = p.c_in});
    }
  }

  void backward_weights(const Conv2dProblem& p, const T* x, const T* dy, T* dw,
                        const Scratch& scratch) const override {
    weight_gradient<T>(p, WeightGradientCut::of<T>(p), dy, dw, scratch.template shared<T>(),
                       [&](int, const ColumnBlock& block) {
                         return Columns<T>{x + block.pixel * p.c_in + block.channel, p.c_in};
                       });
  }

 private:
  // Of which x and y stay in the second-level cache until their statistics are gathered; whole panels of a product.
  static std::int64_t pixels_in_cache(const Conv2dProblem& p) {
    constexpr std::int64_t elements = (std::int64_t{384} << 10) / sizeof(T);
    const std::int64_t rows = kernels<T>().gemm.rows;
    return std::max<std::int64_t>(4, elements / ((p.c_in + p.c_out) * rows)) * rows;
  }
  // Packed once, the weights serve every block of pixels. For few pixels reading them where they are is faster:
  // forward they lie the wrong way, so there it takes fewer.
  static bool packs_weights(const Conv2dProblem& p, Conv2dPass pass) {
    if (pass == Conv2dPass::backward_weights) return false;
    return p.pixels() > (pass == Conv2dPass::forward ? 24 : 256);
  }
  static std::int64_t group_elements(const Conv2dProblem& p, Conv2dPass pass) {
    return pass == Conv2dPass::forward ? packed_b_elements<T>(p.group_out(), p.group_in())
                                       : packed_b_elements<T>(p.group_in(), p.group_out());
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
