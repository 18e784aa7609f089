#include "backend/cpu/gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/thread_pool.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/kernels.h"
#include "reference/activation.h"
#include "new_process.h"

namespace fastcnn {
namespace {

// Rows of `cols` small whole numbers, `gap` NaN after each: sums are exact in any order, and whatever
// reads past a row shows.
template <class T>
std::vector<T> whole_numbers(std::int64_t rows, std::int64_t cols, std::int64_t gap, std::uint32_t seed) {
  std::vector<T> values(static_cast<std::size_t>(rows * (cols + gap)), std::numeric_limits<T>::quiet_NaN());
  std::uint32_t state = seed * 2654435761u + 1;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      state = state * 1664525u + 1013904223u;
      values[static_cast<std::size_t>(i * (cols + gap) + j)] = static_cast<T>(state >> 29) - 3;
    }
  }
  return values;
}

struct Setting {
  bool trans_a = false;
  bool trans_b = false;
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t gap = 0;  // between rows, of all three matrices
  double alpha = 1;
  double beta = 0;
  bool bias = false;
  bool residual = false;
  Activation activation{};
};

std::string describe(const Setting& s) {
  return "trans_a=" + std::to_string(s.trans_a) + " trans_b=" + std::to_string(s.trans_b) + " m=" +
         std::to_string(s.m) + " n=" + std::to_string(s.n) + " k=" + std::to_string(s.k) + " gap=" +
         std::to_string(s.gap) + " alpha=" + std::to_string(s.alpha) + " beta=" + std::to_string(s.beta) +
         " bias=" + std::to_string(s.bias) + " residual=" + std::to_string(s.residual) +
         " activation=" + std::to_string(static_cast<int>(s.activation.kind));
}

// A problem with its memory, and what plain loops make of it.
template <class T>
class Problem {
 public:
  explicit Problem(const Setting& s)
      : setting_(s),
        a_(s.trans_a ? whole_numbers<T>(s.k, s.m, s.gap, 1) : whole_numbers<T>(s.m, s.k, s.gap, 1)),
        b_(s.trans_b ? whole_numbers<T>(s.n, s.k, s.gap, 2) : whole_numbers<T>(s.k, s.n, s.gap, 2)),
        bias_(whole_numbers<T>(1, s.n, 0, 3)),
        residual_(whole_numbers<T>(s.m, s.n, s.gap, 5)),
        c_before_(whole_numbers<T>(s.m, s.n, s.gap, 4)) {
    if (s.beta == 0) std::ranges::fill(c_before_, std::numeric_limits<T>::quiet_NaN());
    c = c_before_;
    gemm = {.trans_a = s.trans_a,
            .trans_b = s.trans_b,
            .m = s.m,
            .n = s.n,
            .k = s.k,
            .alpha = static_cast<T>(s.alpha),
            .a = a_.data(),
            .lda = (s.trans_a ? s.m : s.k) + s.gap,
            .b = b_.data(),
            .ldb = (s.trans_b ? s.k : s.n) + s.gap,
            .beta = static_cast<T>(s.beta),
            .c = c.data(),
            .ldc = s.n + s.gap,
            .epilogue = {.bias = s.bias ? bias_.data() : nullptr,
                         .residual = s.residual ? residual_.data() : nullptr,
                         .activation = s.activation}};
  }

  testing::AssertionResult matches_plain_loops() const {
    for (std::int64_t i = 0; i < setting_.m; ++i) {
      for (std::int64_t j = 0; j < gemm.ldc; ++j) {
        const T got = c[static_cast<std::size_t>(i * gemm.ldc + j)];
        const T before = c_before_[static_cast<std::size_t>(i * gemm.ldc + j)];
        if (j >= setting_.n) {
          if (!std::isnan(got)) return testing::AssertionFailure() << describe(setting_) << ": wrote past row " << i;
          continue;
        }
        const double want = expected(i, j, static_cast<double>(before));
        const double tolerance = 4 * static_cast<double>(std::numeric_limits<T>::epsilon());
        if (!(std::abs(static_cast<double>(got) - want) <= tolerance * std::max(1.0, std::abs(want)))) {
          return testing::AssertionFailure()
                 << describe(setting_) << ": c(" << i << ", " << j << ") is " << got << ", expected " << want;
        }
      }
    }
    return testing::AssertionSuccess();
  }

  Gemm<T> gemm;
  std::vector<T> c;

 private:
  double expected(std::int64_t i, std::int64_t j, double before) const {
    double sum = 0;
    for (std::int64_t p = 0; p < setting_.k; ++p) {
      const T x = gemm.a[setting_.trans_a ? p * gemm.lda + i : i * gemm.lda + p];
      const T w = gemm.b[setting_.trans_b ? j * gemm.ldb + p : p * gemm.ldb + j];
      sum += static_cast<double>(x) * static_cast<double>(w);
    }
    double y = setting_.alpha * sum;
    if (setting_.beta != 0) y += setting_.beta * before;
    if (setting_.bias) y += static_cast<double>(bias_[static_cast<std::size_t>(j)]);
    if (setting_.residual) y += static_cast<double>(residual_[static_cast<std::size_t>(i * gemm.ldc + j)]);
    return reference::activation(setting_.activation, y);
  }

  Setting setting_;
  std::vector<T> a_, b_, bias_, residual_, c_before_;
};

template <class T>
void expect_right(const Setting& setting) {
  Problem<T> problem(setting);
  gemm(problem.gemm);
  ASSERT_TRUE(problem.matches_plain_loops());
}

void expect_right_in_both_types(const Setting& setting) {
  expect_right<float>(setting);
  expect_right<double>(setting);
}

template <class Body>
void for_each_transposition(Body body) {
  for (bool trans_a : {false, true}) {
    for (bool trans_b : {false, true}) body(trans_a, trans_b);
  }
}

class GemmOf : public testing::TestWithParam<GemmProvider> {
 protected:
  void SetUp() override { set_gemm_provider(GetParam()); }
  void TearDown() override { set_gemm_provider(before_); }

 private:
  GemmProvider before_ = gemm_provider();
};

INSTANTIATE_TEST_SUITE_P(Providers, GemmOf, testing::ValuesIn(available_gemm_providers()),
                         [](const auto& info) { return std::string(name_of(info.param)); });

TEST_P(GemmOf, MatchesPlainLoopsAtOddSizes) {
  constexpr std::int64_t sizes[] = {0, 1, 2, 3, 5, 7, 13, 17, 31, 64, 65, 127};
  for_each_transposition([&](bool trans_a, bool trans_b) {
    for (std::int64_t m : sizes) {
      for (std::int64_t n : sizes) {
        for (std::int64_t k : sizes) {
          expect_right_in_both_types({.trans_a = trans_a, .trans_b = trans_b, .m = m, .n = n, .k = k});
          if (HasFatalFailure()) return;
        }
      }
    }
  });
}

TEST_P(GemmOf, MatchesPlainLoopsPastEveryBlockSize) {
  for_each_transposition([](bool trans_a, bool trans_b) {
    expect_right_in_both_types({.trans_a = trans_a, .trans_b = trans_b, .m = 31, .n = 1501, .k = 1003, .gap = 5});
    expect_right_in_both_types({.trans_a = trans_a, .trans_b = trans_b, .m = 461, .n = 33, .k = 700, .gap = 3});
    expect_right_in_both_types({.trans_a = trans_a, .trans_b = trans_b, .m = 15, .n = 1057, .k = 330, .gap = 1});
    expect_right_in_both_types({.trans_a = trans_a, .trans_b = trans_b, .m = 70, .n = 1057, .k = 33});
  });
}

TEST_P(GemmOf, ReadsAndWritesNothingBetweenRows) {
  for_each_transposition([](bool trans_a, bool trans_b) {
    for (std::int64_t gap : {1, 16, 29}) {
      for (std::int64_t side : {1, 9, 33, 47}) {
        expect_right_in_both_types(
            {.trans_a = trans_a, .trans_b = trans_b, .m = side, .n = side + 1, .k = side + 2, .gap = gap});
      }
    }
  });
}

TEST_P(GemmOf, ScalesByAlphaAndKeepsBetaTimesC) {
  for (double alpha : {0.0, 1.0, -2.0, 0.5}) {
    for (double beta : {0.0, 1.0, -1.0, 0.5}) {
      for (std::int64_t k : {0, 1, 40, 700}) {
        expect_right_in_both_types({.m = 19, .n = 37, .k = k, .gap = 2, .alpha = alpha, .beta = beta});
      }
    }
  }
}

TEST_P(GemmOf, FinishesWithBiasAndActivation) {
  using enum Activation::Kind;
  for (Activation f : {Activation{identity}, Activation{relu}, Activation{relu6}, Activation{sigmoid},
                       Activation{tanh, 1.7159, 2.0 / 3}, Activation{square}, Activation{linear, 2, -1},
                       Activation{leaky_relu, 0.25}, Activation{elu, 0.5}}) {
    for (bool bias : {false, true}) {
      for (std::int64_t k : {0, 2, 700}) {
        expect_right_in_both_types(
            {.m = 67, .n = 45, .k = k, .gap = 1, .alpha = 0.125, .beta = 1, .bias = bias, .activation = f});
      }
    }
  }
}

TEST_P(GemmOf, AddsTheResidualBeforeTheActivation) {
  using enum Activation::Kind;
  for_each_transposition([](bool trans_a, bool trans_b) {
    for (std::int64_t m : {1, 5, 15, 31, 67}) {
      for (std::int64_t n : {1, 7, 16, 33, 45}) {
        for (std::int64_t k : {0, 3, 70, 330}) {
          for (Activation f : {Activation{identity}, Activation{relu}, Activation{relu6}, Activation{square}}) {
            for (bool bias : {false, true}) {
              expect_right_in_both_types({.trans_a = trans_a, .trans_b = trans_b, .m = m, .n = n, .k = k, .gap = 3,
                                          .alpha = 0.125, .bias = bias, .residual = true, .activation = f});
              if (HasFatalFailure()) return;
            }
          }
        }
      }
    }
  });
}

TEST_P(GemmOf, ParallelGemmMatchesPlainLoops) {
  for_each_transposition([](bool trans_a, bool trans_b) {
    for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{0, 5, 5}, {5, 0, 5}, {5, 5, 0}, {1, 700, 900},
                                  {300, 500, 70}, {1, 1, 2000}, {600, 10, 300}}) {
      Problem<float> problem({.trans_a = trans_a, .trans_b = trans_b, .m = m, .n = n, .k = k, .gap = 2,
                              .bias = true, .residual = true, .activation = {Activation::Kind::relu}});
      parallel_gemm(problem.gemm);
      ASSERT_TRUE(problem.matches_plain_loops());
    }
  });
}

TEST(PackedB, GivesTheBytesOfTheProductWithBInPlace) {
  const GemmProvider before = gemm_provider();
  set_gemm_provider(GemmProvider::native);
  for_each_transposition([](bool trans_a, bool trans_b) {
    for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{1, 1, 1}, {40, 16, 5}, {30, 77, 33}, {67, 1061, 700},
                                  {300, 129, 321}, {5, 40, 0}, {9, 200, 1100}}) {
      const Activation f{m % 2 == 0 ? Activation::Kind::relu : Activation::Kind::square};
      Problem<float> in_place({.trans_a = trans_a, .trans_b = trans_b, .m = m, .n = n, .k = k, .gap = 2, .beta = 1,
                               .bias = true, .residual = true, .activation = f});
      Problem<float> packed = in_place;
      gemm(in_place.gemm);
      std::vector<float> b(static_cast<std::size_t>(packed_b_elements<float>(n, k)) + 1, -1);
      pack_b(trans_b, n, k, packed.gemm.b, packed.gemm.ldb, b.data());
      EXPECT_EQ(b.back(), -1) << "wrote past packed_b_elements";
      packed.gemm.b = b.data();
      packed.gemm.ldb = 0;
      packed.gemm.b_packed = true;
      packed.gemm.c = packed.c.data();
      gemm(packed.gemm);
      ASSERT_TRUE(in_place.matches_plain_loops());
      ASSERT_EQ(std::memcmp(in_place.c.data(), packed.c.data(), packed.c.size() * sizeof(float)), 0);
      packed.gemm.beta = 0;
      parallel_gemm(packed.gemm);
      in_place.gemm.beta = 0;
      gemm(in_place.gemm);
      ASSERT_EQ(std::memcmp(in_place.c.data(), packed.c.data(), packed.c.size() * sizeof(float)), 0);
    }
  });
  set_gemm_provider(before);
}

TEST_P(GemmOf, BytesAreTheSameAtAnyThreadCount) {
  const int threads_before = num_threads().threads;
  for (const auto& [m, n, k] : {std::array<std::int64_t, 3>{517, 389, 701}, {3, 1500, 1000}, {1100, 60, 333}}) {
    std::vector<float> a(static_cast<std::size_t>(m * k)), b(static_cast<std::size_t>(k * n));
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = std::sin(static_cast<float>(i));
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = std::cos(static_cast<float>(i));
    std::vector<float> first;
    for (int threads : {1, 2, 3, 8}) {
      set_num_threads(threads);
      std::vector<float> c(static_cast<std::size_t>(m * n));
      parallel_gemm(Gemm<float>{.m = m, .n = n, .k = k, .a = a.data(), .lda = k, .b = b.data(), .ldb = n,
                                .c = c.data(), .ldc = n});
      if (first.empty()) first = c;
      EXPECT_EQ(std::memcmp(first.data(), c.data(), c.size() * sizeof(float)), 0) << threads << " threads";
    }
  }
  set_num_threads(threads_before);
}

TEST(FmaPeak, CountsTheOperationsOfEachIteration) {
  const std::int64_t of_one = kernels<float>().fma_peak(1);
  EXPECT_GE(of_one, 2 * kernels<float>().gemm.lanes);
  EXPECT_EQ(kernels<float>().fma_peak(1000), 1000 * of_one);
}

TEST_P(GemmOf, ProviderSaysWhatItIs) { EXPECT_FALSE(gemm_provider_details(GetParam()).empty()); }

TEST(GemmProviders, NativeIsAlwaysThereAndNamesItsIsa) {
  EXPECT_EQ(available_gemm_providers().front(), GemmProvider::native);
  EXPECT_NE(gemm_provider_details(GemmProvider::native).find(name_of(active_isa())), std::string::npos);
}

TEST(GemmProviders, OneThatIsNotBuiltIsRefused) {
  const std::vector<GemmProvider> available = available_gemm_providers();
  for (GemmProvider provider : {GemmProvider::openblas, GemmProvider::mkl, GemmProvider::accelerate}) {
    if (std::ranges::find(available, provider) != available.end()) continue;
    EXPECT_THROW(set_gemm_provider(provider), UnsupportedError);
    EXPECT_THROW(gemm_provider_details(provider), UnsupportedError);
  }
}

// The choice is made once per process, so these ask in a process of their own.
template <class Expected>
void expect_refused(const char* name) {
  EXPECT_EXIT(
      {
        setenv("FASTCNN_GEMM", name, 1);
        try {
          gemm_provider();
        } catch (const Expected& error) {
          const std::string message = error.what();
          std::_Exit(message.find("FASTCNN_GEMM=" + std::string(name)) == 0 &&
                             message.find("available here: native") != std::string::npos
                         ? 0
                         : 2);
        }
        std::_Exit(1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(GemmProvidersDeathTest, UnknownAndMissingNamesInTheEnvironmentAreRefused) {
  run_death_tests_in_new_processes();
  expect_refused<ValueError>("blas");
  const std::vector<GemmProvider> available = available_gemm_providers();
  if (std::ranges::find(available, GemmProvider::mkl) == available.end()) {
    expect_refused<UnsupportedError>("mkl");
  }
}

TEST(GemmProvidersDeathTest, TheEnvironmentChooses) {
  run_death_tests_in_new_processes();
  for (GemmProvider provider : available_gemm_providers()) {
    EXPECT_EXIT(
        {
          setenv("FASTCNN_GEMM", name_of(provider).data(), 1);
          std::_Exit(gemm_provider() == provider ? 0 : 1);
        },
        testing::ExitedWithCode(0), "");
  }
}

}  // namespace
}  // namespace fastcnn
