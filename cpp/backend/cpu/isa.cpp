#include "backend/cpu/isa.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "core/error.h"

namespace fastcnn {
namespace {

constexpr Isa all_isas[] = {Isa::baseline, Isa::neon, Isa::avx2, Isa::avx512};

bool is_built(Isa isa) {
  switch (isa) {
    case Isa::baseline: return true;
#ifdef FASTCNN_HAS_AVX2
    case Isa::avx2: return true;
#endif
#ifdef FASTCNN_HAS_AVX512
    case Isa::avx512: return true;
#endif
#ifdef FASTCNN_HAS_NEON
    case Isa::neon: return true;
#endif
    default: return false;
  }
}

// The compiler's run-time answers for the AVX family are no unless the system saves the wide registers
// too (XGETBV). They must name all that CMake's FASTCNN_FLAGS_<isa> let the compiler use.
bool runs_here(Isa isa) {
#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  switch (isa) {
    case Isa::baseline: return true;
    case Isa::avx2: return avx2;
    case Isa::avx512:
      return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    case Isa::neon: return false;
  }
  return false;
#elif defined(__aarch64__)
  return isa == Isa::baseline || isa == Isa::neon;
#else
  return isa == Isa::baseline;
#endif
}

std::string join(const std::vector<Isa>& isas) {
  std::string names;
  for (Isa isa : isas) names.append(names.empty() ? "" : ", ").append(name_of(isa));
  return names;
}

Isa choose() {
  const std::vector<Isa> available = available_isas();
  const char* wanted = std::getenv("FASTCNN_ISA");
  if (wanted == nullptr || *wanted == '\0') return available.back();
  const auto named = std::ranges::find_if(all_isas, [&](Isa isa) { return name_of(isa) == wanted; });
  if (named == std::end(all_isas)) {
    throw ValueError("FASTCNN_ISA=" + std::string(wanted) + ": unknown instruction set; available here: " +
                     join(available));
  }
  if (std::ranges::find(available, *named) == available.end()) {
    throw UnsupportedError("FASTCNN_ISA=" + std::string(wanted) + ": " +
                           (is_built(*named) ? "this CPU lacks it" : "this build has no kernels for it") +
                           "; available here: " + join(available));
  }
  return *named;
}

}  // namespace

std::string_view name_of(Isa isa) {
  switch (isa) {
    case Isa::baseline: return "baseline";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
    case Isa::neon: return "neon";
  }
  return "?";
}

std::vector<Isa> available_isas() {
  std::vector<Isa> isas;
  for (Isa isa : all_isas) {
    if (is_built(isa) && runs_here(isa)) isas.push_back(isa);
  }
  return isas;
}

Isa active_isa() {
  static const Isa isa = choose();
  return isa;
}

}  // namespace fastcnn
