#include "backend/cpu/conv2d/rules.h"

#include <algorithm>

#include "core/ceil_div.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/conv2d/winograd_cut.h"

namespace fastcnn {
namespace {

// The part of implicit's multiply-adds that count: its tiles are whole vectors of channels wide, and
// backward-data meets every tap at every pixel of dx, also where there is no dy at its side.
double useful(const Conv2dProblem& p, Conv2dPass pass) {
  const std::int64_t lanes = kernels<float>().implicit.lanes;
  const std::int64_t channels = pass == Conv2dPass::forward ? p.group_out() : p.group_in();
  const double of_vectors = static_cast<double>(channels) / static_cast<double>(ceil_div(channels, lanes) * lanes);
  if (pass == Conv2dPass::forward) return of_vectors;
  return of_vectors * static_cast<double>(p.w_out * p.stride_w) / static_cast<double>(p.w_in);
}

// On AVX-512, implicit reaches 0.75 to 0.95 of the peak where everything is useful, im2col 0.55 to 0.7. For dw it reads
// the pixels of x again for every few channels of dy: a multiple of 2 KB apart, they push each other out of the caches.
std::string_view against_implicit(const Conv2dProblem& p, Conv2dPass pass) {
  if (active_isa() == Isa::baseline && p.gemm != GemmProvider::native) return "BLAS is faster on this ISA";
  if (pass == Conv2dPass::backward_weights && p.stride_w * p.c_in % 512 == 0) return "pixels of x share cache sets";
  if (pass == Conv2dPass::backward_data && useful(p, pass) < 0.7) return "few channels or much border";
  if (pass == Conv2dPass::forward && useful(p, pass) < 0.25) return "few channels";
  return {};
}

// With few channels of y a panel of the GEMM is narrow, and implicit, which packs nothing, is ahead; backward also
// with few channels of x.
std::string_view against_pointwise(const Conv2dProblem& p, Conv2dPass pass) {
  if (active_isa() == Isa::baseline && p.gemm != GemmProvider::native) return {};
  const std::int64_t channels =
      pass == Conv2dPass::forward ? p.group_out() : std::min(p.group_in(), p.group_out());
  return channels <= 24 ? "few channels" : std::string_view{};
}

// What F(m, r) costs for a pair of channels, in multiply-adds of the direct way. The transforms of tiles add
// 0.4 to the products. Transformed weights are written and read again, or read alone where they are prepared,
// as they are at inference; past the caches that takes longer.
double winograd_cost(const Conv2dProblem& p, std::int64_t m, Conv2dPass pass) {
  const bool to_x = pass == Conv2dPass::backward_data;
  const std::int64_t alpha = m + p.k_h - 1;
  const winograd::Correlation<float> c({m, p.k_h}, p, pass);
  const bool sums_windows = to_x && winograd::OverlapCut<float>(c, p).worthwhile;
  const std::int64_t tiles = sums_windows ? winograd::OverlapCut<float>(c, p).image_tiles * p.n : c.tiles;
  const bool in_cache = alpha * alpha * p.group_in() * p.group_out() * 4 <= 8 << 20;
  const bool prepared = pass == Conv2dPass::forward;
  const double weights = in_cache ? (prepared ? 3 : 16) : (prepared ? 12 : 30);
  return static_cast<double>(alpha * alpha) * (1.4 * static_cast<double>(tiles) + weights);
}

std::string_view against_winograd(std::string_view algorithm, const Conv2dProblem& p, Conv2dPass pass) {
  const std::int64_t min_in = pass == Conv2dPass::forward ? 16 : 8;
  if (p.group_in() < min_in || p.group_out() < 8) return "few channels";
  const bool has_large_tiles = algorithm.starts_with("winograd_4");
  const double cost = winograd_cost(p, has_large_tiles ? 4 : 2, pass);
  if (cost > static_cast<double>(p.pixels() * p.taps())) return "few or partial tiles";
  if (has_large_tiles && cost > winograd_cost(p, 2, pass)) return "smaller tiles have less to do";
  return {};
}

}  // namespace

std::string_view rule_against(std::string_view algorithm, const Conv2dProblem& p, Conv2dPass pass) {
  if (algorithm == "pointwise") return against_pointwise(p, pass);
  if (algorithm == "implicit") return against_implicit(p, pass);
  if (algorithm.starts_with("winograd")) return against_winograd(algorithm, p, pass);
  return {};
}

}  // namespace fastcnn
