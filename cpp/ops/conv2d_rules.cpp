#include "ops/conv2d_rules.h"

#include <algorithm>

#include "cpu/gemm.h"
#include "cpu/isa.h"
#include "cpu/kernels.h"

namespace fastcnn {
namespace {

// The part of implicit's multiply-adds that count: its tiles are whole vectors of channels wide, and
// backward-data meets every tap at every pixel of dx, also where there is no dy at its side.
double useful(const Conv2dProblem& p, Conv2dPass pass) {
  const std::int64_t lanes = kernels<float>().implicit.lanes;
  const std::int64_t channels = pass == Conv2dPass::forward ? p.group_out() : p.group_in();
  const double of_vectors = static_cast<double>(channels) / static_cast<double>((channels + lanes - 1) / lanes * lanes);
  if (pass == Conv2dPass::forward) return of_vectors;
  return of_vectors * static_cast<double>(p.w_out * p.stride_w) / static_cast<double>(p.w_in);
}

// On AVX-512, implicit reaches 0.75 to 0.95 of the peak where everything is useful, im2col 0.55 to 0.7.
std::string_view against_implicit(const Conv2dProblem& p, Conv2dPass pass) {
  if (active_isa() == Isa::baseline && gemm_provider() != GemmProvider::native) return "the BLAS knows this CPU";
  if (pass == Conv2dPass::backward_data && useful(p, pass) < 0.7) return "few channels or much border";
  if (pass == Conv2dPass::forward && useful(p, pass) < 0.25) return "few channels";
  return {};
}

// Packing for the GEMM costs more than it gains where a packed element is used few times; implicit doesn't.
std::string_view against_pointwise(const Conv2dProblem& p) {
  if (active_isa() == Isa::baseline && gemm_provider() != GemmProvider::native) return {};
  return std::min(p.group_in(), p.group_out()) <= 24 ? "few channels" : std::string_view{};
}

// Multiplications per image and pair of channels of F(m, r), tiles at the border taken whole.
std::int64_t winograd_multiplications(const Conv2dProblem& p, std::int64_t m, Conv2dPass pass) {
  const bool to_x = pass == Conv2dPass::backward_data;
  const std::int64_t alpha = m + p.k_h - 1;
  const std::int64_t rows = ((to_x ? p.h_in : p.h_out) + m - 1) / m;
  const std::int64_t cols = ((to_x ? p.w_in : p.w_out) + m - 1) / m;
  return rows * cols * alpha * alpha;
}

std::string_view rule_against_winograd(std::string_view algorithm, const Conv2dProblem& p, Conv2dPass pass) {
  if (p.group_in() < 8 || p.group_out() < 8) return "too few channels for its transforms to pay";
  const bool is_4x3 = algorithm == "winograd_4x3";
  const std::int64_t m = is_4x3 ? 4 : 2;
  const std::int64_t multiplications = winograd_multiplications(p, m, pass);
  if (2 * multiplications > p.h_out * p.w_out * p.taps()) return "too much of its tiles is outside of the image";
  if (is_4x3 && 10 * multiplications > 11 * winograd_multiplications(p, 2, pass))
    return "too much of its tiles is outside of the image";
  return {};
}

}  // namespace

std::string_view rule_against(std::string_view algorithm, const Conv2dProblem& p, Conv2dPass pass) {
  if (algorithm == "pointwise") return against_pointwise(p);
  if (algorithm == "implicit") return against_implicit(p, pass);
  if (algorithm.starts_with("winograd")) return rule_against_winograd(algorithm, p, pass);
  return {};
}

}  // namespace fastcnn
