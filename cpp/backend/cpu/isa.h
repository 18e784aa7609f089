// Instruction sets that the kernels are compiled for, and which one this process uses.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fastcnn {

enum class Isa { baseline, avx2, avx512, neon };

std::string_view name_of(Isa isa);

// What this CPU runs and this build holds, worst first; always holds baseline.
std::vector<Isa> available_isas();

// The best available one, or FASTCNN_ISA. Throws ValueError for an unknown name, UnsupportedError
// for one that the CPU or the build lacks. Decided once, at the first call.
Isa active_isa();

}  // namespace fastcnn
