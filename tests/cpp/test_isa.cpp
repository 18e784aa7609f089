#include "backend/cpu/isa.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "core/error.h"
#include "backend/cpu/kernels.h"
#include "new_process.h"

namespace fastcnn {
namespace {

// The choice is made once per process, so each of these asks in a process of its own.
template <class Expected>
void expect_refused(const char* name, const std::string& part_of_message) {
  run_death_tests_in_new_processes();
  EXPECT_EXIT(
      {
        setenv("FASTCNN_ISA", name, 1);
        try {
          active_isa();
        } catch (const Expected& error) {
          const std::string message = error.what();
          const bool says_it = message.find(part_of_message) != std::string::npos &&
                               message.find("available here: baseline") != std::string::npos;
          std::_Exit(says_it ? 0 : 2);
        }
        std::_Exit(1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(Isa, BaselineIsAlwaysAvailableAndWorst) { EXPECT_EQ(available_isas().front(), Isa::baseline); }

TEST(Isa, TheActiveOneIsAvailable) {
  const std::vector<Isa> available = available_isas();
  EXPECT_NE(std::ranges::find(available, active_isa()), available.end());
}

TEST(Isa, TheActiveOneIsWhatTheEnvironmentNamesElseTheBest) {
  const char* wanted = std::getenv("FASTCNN_ISA");
  EXPECT_EQ(name_of(active_isa()), wanted != nullptr ? wanted : name_of(available_isas().back()));
}

TEST(IsaDeathTest, AnUnknownNameIsRefused) { expect_refused<ValueError>("sse9", "FASTCNN_ISA=sse9: unknown"); }

TEST(IsaDeathTest, WhatIsLackingHereIsRefused) {
  const std::vector<Isa> available = available_isas();
  for (Isa isa : {Isa::avx2, Isa::avx512, Isa::neon}) {
    if (std::ranges::find(available, isa) == available.end()) {
      expect_refused<UnsupportedError>(name_of(isa).data(), "FASTCNN_ISA=" + std::string(name_of(isa)));
    }
  }
}

TEST(Kernels, OfFloatAreTheActiveIsasAndOfDoubleTheBaselines) {
  const std::int64_t bytes = kernels<float>().gemm.lanes * 4;
  switch (active_isa()) {
    case Isa::baseline:
    case Isa::neon: EXPECT_EQ(bytes, 16); break;
    case Isa::avx2: EXPECT_EQ(bytes, 32); break;
    case Isa::avx512: EXPECT_EQ(bytes, 64); break;
  }
  EXPECT_EQ(kernels<double>().gemm.lanes * 8, 16);
}

}  // namespace
}  // namespace fastcnn
