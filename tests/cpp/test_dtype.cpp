#include "core/dtype.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <string>

namespace fastcnn {
namespace {

TEST(DType, is_in_the_table_with_its_size_and_name) {
  std::set<std::string> names;
  for (const DType dtype : all_dtypes) {
    names.insert(name_of(dtype));
    dispatch(dtype, [&]<class T>() {
      EXPECT_EQ(size_of(dtype), sizeof(T)) << name_of(dtype);
      EXPECT_EQ(dtype_of<T>, dtype) << name_of(dtype);
    });
    EXPECT_GE(size_of(traits_of(dtype).accumulator), size_of(dtype)) << name_of(dtype);
  }
  EXPECT_EQ(names.size(), std::size(all_dtypes));
}

TEST(DType, says_which_are_floating) {
  std::string floating;
  for (const DType dtype : all_dtypes)
    if (is_floating(dtype)) floating.append(name_of(dtype)).append(" ");
  EXPECT_EQ(floating, "float32 float64 bfloat16 float16 ");
}

TEST(DType, is_dispatched_to_kernels_in_float32_and_float64_alone) {
  for (const DType dtype : all_dtypes) {
    const auto size = [&] { return dispatch_floating(dtype, []<class T>() { return sizeof(T); }); };
    if (dtype == DType::float32 || dtype == DType::float64)
      EXPECT_EQ(size(), size_of(dtype));
    else
      EXPECT_THROW(size(), DTypeError) << name_of(dtype);
  }
}

// The nearest of all numbers of 16 bits, ties to the one that is even, by trying them.
template <class Half>
std::uint16_t nearest(double value) {
  std::uint16_t best = 0;
  double best_distance = std::numeric_limits<double>::infinity();
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    Half candidate;
    candidate.bits = static_cast<std::uint16_t>(bits);
    const auto number = static_cast<double>(candidate);
    if (!std::isfinite(number) || std::signbit(number) != std::signbit(value)) continue;
    const double distance = std::abs(number - value);
    const bool is_tie = distance == best_distance && bits % 2 == 0;
    if (distance < best_distance || is_tie) best = candidate.bits;
    best_distance = std::min(best_distance, distance);
  }
  return best;
}

template <class Half>
void expect_rounds_to_nearest_even(int min_exponent, int max_exponent) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> mantissa(1, 2);
  std::uniform_int_distribution<int> exponent(min_exponent, max_exponent);
  for (int i = 0; i < 60; ++i) {
    const double value = std::ldexp(mantissa(random), exponent(random)) * (i % 2 == 0 ? 1 : -1);
    EXPECT_EQ(Half(value).bits, nearest<Half>(value)) << value;
    const auto single = static_cast<float>(value);
    EXPECT_EQ(Half(single).bits, nearest<Half>(static_cast<double>(single))) << value;
  }
}

TEST(BFloat16, rounds_to_nearest_even) { expect_rounds_to_nearest_even<BFloat16>(-120, 120); }
TEST(Float16, rounds_to_nearest_even_with_subnormals) { expect_rounds_to_nearest_even<Float16>(-24, 14); }

template <class Half>
void expect_every_number_survives() {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    Half half;
    half.bits = static_cast<std::uint16_t>(bits);
    const auto single = static_cast<float>(half);
    if (std::isnan(single)) {
      EXPECT_TRUE(std::isnan(static_cast<float>(Half(single)))) << bits;
    } else {
      EXPECT_EQ(Half(single).bits, half.bits);
      EXPECT_EQ(Half(static_cast<double>(single)).bits, half.bits);
    }
  }
}

TEST(BFloat16, every_number_survives_float_and_back) { expect_every_number_survives<BFloat16>(); }
TEST(Float16, every_number_survives_float_and_back) { expect_every_number_survives<Float16>(); }

TEST(BFloat16, doubles_are_rounded_once) {
  // Just above the middle of two neighbours: by way of the nearest float it would become a tie.
  const double above = 1 + 0x1p-8 + 0x1p-40;
  EXPECT_EQ(static_cast<double>(BFloat16(above)), 1 + 0x1p-7);
  EXPECT_EQ(static_cast<double>(BFloat16(1 + 0x1p-8)), 1.0);
  EXPECT_EQ(static_cast<double>(BFloat16(-above)), -1 - 0x1p-7);
}

TEST(Float16, what_is_too_large_becomes_infinite) {
  EXPECT_EQ(Float16(65519.0f).bits, 0x7bff);
  EXPECT_EQ(Float16(65520.0f).bits, 0x7c00);
  EXPECT_EQ(Float16(-1e30).bits, 0xfc00);
  EXPECT_EQ(Float16(std::numeric_limits<float>::infinity()).bits, 0x7c00);
  EXPECT_EQ(BFloat16(std::numeric_limits<float>::max()).bits, 0x7f80);
  EXPECT_EQ(BFloat16(1e300).bits, 0x7f80);
}

TEST(BFloat16, a_nan_whose_payload_is_cut_off_stays_one) {
  const float nan = std::bit_cast<float>(0x7f800001U);
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(nan))));
}

}  // namespace
}  // namespace fastcnn
