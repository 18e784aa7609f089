// Exponential functions and the logarithm over Vec, exact to about 2 units in the last place, for the whole range:
// overflow gives inf, underflow goes through the denormals to 0, NaN stays NaN.
#pragma once

#include <stdint.h>

#include "backend/cpu/generic/vec.h"

namespace fastcnn::generic {

// What float and double differ in. The polynomial is the Taylor series of e^r: with |r| <= ln(2) / 2 the
// first term left out is below a tenth of the last place.
template <class T>
struct ExpFormat;
template <>
struct ExpFormat<float> {
  using Bits = uint32_t;
  static constexpr int mantissa = 23, bias = 127, degree = 7;
  static constexpr float ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;  // n * ln2_high is exact
  static constexpr float highest = 89.0f, lowest = -104.0f;                   // inf above, 0 below
  static constexpr float tanh_is_one = 9.5f;
  static constexpr float smallest = 0x1p-126f, largest = 0x1.fffffep127f;  // normal numbers
  static constexpr int atanh_terms = 5;
};
template <>
struct ExpFormat<double> {
  using Bits = uint64_t;
  static constexpr int mantissa = 52, bias = 1023, degree = 13;
  static constexpr double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;
  static constexpr double highest = 710.0, lowest = -746.0;
  static constexpr double tanh_is_one = 20.0;
  static constexpr double smallest = 0x1p-1022, largest = 0x1.fffffffffffffp1023;
  static constexpr int atanh_terms = 11;
};

inline constexpr double inverse_factorial[] = {
    1.0,           1.0,           1.0 / 2,        1.0 / 6,         1.0 / 24,        1.0 / 120,       1.0 / 720,
    1.0 / 5040,    1.0 / 40320,   1.0 / 362880,   1.0 / 3628800,   1.0 / 39916800,  1.0 / 479001600,
    1.0 / 6227020800.0};

template <class V>
struct ExpParts {
  using Format = ExpFormat<typename V::T>;
  typedef typename Format::Bits Bits __attribute__((vector_size(V::size * sizeof(typename V::T))));

  V q;     // e^x = 2^n (1 + q)
  Bits n;  // plus 2 (bias + 1), so that it is never negative
};

// n = round(x / ln 2) and q = e^(x - n ln 2) - 1, for x within [lowest, highest].
template <class V>
inline ExpParts<V> exp_parts(V x) {
  using T = typename V::T;
  using Parts = ExpParts<V>;
  using Format = typename Parts::Format;
  using Bits = typename Parts::Bits;
  // Adding 1.5 * 2^mantissa leaves the rounded integer in the lowest bits.
  constexpr T magic = static_cast<T>(3ull << (Format::mantissa - 1));
  const V shifted = x * V::broadcast(static_cast<T>(0x1.71547652b82fep0)) + V::broadcast(magic);
  const V n = shifted - V::broadcast(magic);
  const V r = (x - n * V::broadcast(Format::ln2_high)) - n * V::broadcast(Format::ln2_low);
  V p = V::broadcast(static_cast<T>(inverse_factorial[Format::degree]));
#pragma GCC unroll 16
  for (int i = Format::degree - 1; i >= 2; --i) p = p * r + V::broadcast(static_cast<T>(inverse_factorial[i]));
  const Bits magic_bits = __builtin_bit_cast(Bits, V::broadcast(magic).raw);
  const Bits bits = __builtin_bit_cast(Bits, shifted.raw) - magic_bits + 2 * (Format::bias + 1);
  return {r + (r * r) * p, bits};
}

// 2^(exponent - bias) for exponents of normal numbers.
template <class V>
inline V power_of_two(typename ExpParts<V>::Bits exponent) {
  return {__builtin_bit_cast(typename V::Raw, exponent << ExpParts<V>::Format::mantissa)};
}

template <class V>
inline V exp(V x) {
  using Parts = ExpParts<V>;
  using Format = typename Parts::Format;
  const V highest = V::broadcast(Format::highest);
  const V lowest = V::broadcast(Format::lowest);
  x.raw = x.raw > highest.raw ? highest.raw : x.raw;
  x.raw = x.raw < lowest.raw ? lowest.raw : x.raw;
  const Parts parts = exp_parts(x);
  // 2^n as a product of two, because n reaches past the exponents of normal numbers.
  const typename Parts::Bits half = parts.n >> 1;
  const V scaled = (V::broadcast(1) + parts.q) * power_of_two<V>(half - 1);
  return scaled * power_of_two<V>(parts.n - half - 1);
}

// 2 atanh(z) - 2 z by its series, for |z| <= (sqrt(2) - 1) / (sqrt(2) + 1).
template <class V>
inline V atanh_rest(V z) {
  using T = typename V::T;
  using Format = ExpFormat<T>;
  const V square = z * z;
  V series = V::broadcast(static_cast<T>(2.0 / (2 * Format::atanh_terms + 1)));
#pragma GCC unroll 16
  for (int i = Format::atanh_terms - 1; i >= 1; --i)
    series = series * square + V::broadcast(static_cast<T>(2.0 / (2 * i + 1)));
  return z * (square * series);
}

// x = 2^n m with m in [sqrt(1/2), sqrt(2)), log m = 2 atanh(z) with z = (m - 1) / (m + 1) by its series. What is below
// the normal numbers counts as 0, whose logarithm is -inf; that of negative numbers is NaN.
template <class V>
inline V log(V x) {
  using T = typename V::T;
  using Format = ExpFormat<T>;
  using Bits = typename ExpParts<V>::Bits;
  constexpr auto one_half_root = __builtin_bit_cast(typename Format::Bits, static_cast<T>(0x1.6a09e667f3bcdp-1));
  // The exponent of x / sqrt(1/2), with the bias in front so that it is never negative.
  const Bits bits = __builtin_bit_cast(Bits, x.raw);
  const Bits bias = Bits{} + (typename Format::Bits{Format::bias} << Format::mantissa);
  const Bits exponent = (bits - one_half_root + bias) >> Format::mantissa;
  const V m{__builtin_bit_cast(typename V::Raw, bits + bias - (exponent << Format::mantissa))};
  // Small integers in the lowest bits of a floating-point number.
  constexpr T magic = static_cast<T>(1ull << Format::mantissa);
  const Bits magic_bits = __builtin_bit_cast(Bits, V::broadcast(magic).raw);
  const V n = V{__builtin_bit_cast(typename V::Raw, exponent | magic_bits)} - V::broadcast(magic + Format::bias);
  const V one = V::broadcast(1);
  const V z = (m - one) / (m + one);
  V y = n * V::broadcast(Format::ln2_high) +
        ((z + z) + (atanh_rest(z) + n * V::broadcast(Format::ln2_low)));
  const T infinity = static_cast<T>(__builtin_inf());
  y.raw = x.raw >= V::broadcast(Format::smallest).raw ? y.raw : V::broadcast(-infinity).raw;
  y.raw = x.raw >= V{}.raw ? y.raw : V::broadcast(infinity - infinity).raw;  // of NaN, too
  return {x.raw > V::broadcast(Format::largest).raw ? x.raw : y.raw};
}

template <class V>
inline V sigmoid(V x) {
  return V::broadcast(1) / (V::broadcast(1) + exp(V::broadcast(0) - x));
}

// The sign bit of each lane of `sign` on the magnitude of x.
template <class V>
inline V copy_sign(V x, V sign) {
  using Bits = typename ExpParts<V>::Bits;
  const Bits mask = __builtin_bit_cast(Bits, V::broadcast(-static_cast<typename V::T>(0)).raw);
  const Bits magnitude = __builtin_bit_cast(Bits, x.raw) & ~mask;
  return {__builtin_bit_cast(typename V::Raw, magnitude | (__builtin_bit_cast(Bits, sign.raw) & mask))};
}

template <class V>
inline V abs(V x) {
  return copy_sign(x, V{});
}

// e^x - 1 for x <= 0.
template <class V>
inline V expm1_below_zero(V x) {
  using Parts = ExpParts<V>;
  using Format = typename Parts::Format;
  const V lowest = V::broadcast(-2 * Format::tanh_is_one);  // e^x is nothing beside 1
  x.raw = x.raw < lowest.raw ? lowest.raw : x.raw;
  const Parts parts = exp_parts(x);
  const V scale = power_of_two<V>(parts.n - (Format::bias + 2));
  return scale * parts.q + (scale - V::broadcast(1));
}

// log(1 + x) for 0 <= x <= 1: as log, with m = 1 + x, halved above sqrt(2).
template <class V>
inline V log1p_within_one(V x) {
  using T = typename V::T;
  using Format = ExpFormat<T>;
  const auto halved = x.raw > V::broadcast(static_cast<T>(0x1.a827999fcef32p-2)).raw;
  const V one = V::broadcast(1);
  const V above{halved ? (x - one).raw : x.raw};
  const V below = x + V{halved ? V::broadcast(3).raw : V::broadcast(2).raw};
  const V z = above / below;
  const V low{halved ? V::broadcast(Format::ln2_low).raw : V{}.raw};
  const V high{halved ? V::broadcast(Format::ln2_high).raw : V{}.raw};
  return high + ((z + z) + (atanh_rest(z) + low));
}

// tanh |x| = e / (e + 2) with e = e^(2|x|) - 1 = 2^n q + (2^n - 1): nothing cancels near 0.
template <class V>
inline V tanh(V x) {
  using Parts = ExpParts<V>;
  using Format = typename Parts::Format;
  V magnitude = abs(x);
  const V limit = V::broadcast(Format::tanh_is_one);
  magnitude.raw = magnitude.raw > limit.raw ? limit.raw : magnitude.raw;
  const Parts parts = exp_parts(magnitude + magnitude);
  const V scale = power_of_two<V>(parts.n - (Format::bias + 2));
  const V e = scale * parts.q + (scale - V::broadcast(1));
  return copy_sign(e / (e + V::broadcast(2)), x);
}

// Of `normal` below, from the lowest power on; the next coefficient is below the last place.
template <class T>
struct NormalSeries;
template <>
struct NormalSeries<float> {
  static constexpr float p[] = {0.7552851271f,   -0.6078964038f,  0.3871375629f,   -0.1865267109f,  0.06039529587f,
                                -0.007512231382f, -0.003476167895f, 0.001563786899f, 0.0001293256813f,
                                -0.0001573205696f};
};
template <>
struct NormalSeries<double> {
  static constexpr double p[] = {
      0.7552851304157514,     -0.607896641971893,     0.3871374007422266,     -0.1865218579595787,
      0.06039657489036092,    -0.007540188968891619,  -0.0034796923566515025, 0.0016308184854735856,
      0.00013334420916014778, -0.00023109513778728935, -1.907676030719098e-06, 3.514560235904452e-05,
      7.146021531267462e-07,  -5.922893777541928e-06, -6.249551077565178e-07, 1.026984070143193e-06,
      2.647337281979868e-07,  -1.622316320853567e-07, -7.878360342693638e-08, 1.9569608939974048e-08,
      1.60673869573294e-08,   -1.277235143295772e-09, -1.6886576966786735e-09};
};

// The normal distribution at x: its density, and the probability of what lies below.
template <class V>
struct Normal {
  V density, below;
};

// For z = |x|, below(-z) = e^(-z^2 / 2) p(u) / (z + 4), where p is the interpolation at Chebyshev's points of the
// function that makes it equal, of u = (z - 4) / (z + 4) between -1 and 1. The square is exact in two parts, because
// what it is off by, however small beside z^2, is a factor of the result.
template <class V>
inline Normal<V> normal(V x) {
  using T = typename V::T;
  using Format = ExpFormat<T>;
  using Bits = typename ExpParts<V>::Bits;
  const V limit = V::broadcast(39);  // there the density is 0, and infinity would give NaN
  V z = abs(x);
  z.raw = z.raw > limit.raw ? limit.raw : z.raw;
  const Bits upper_half = Bits{} + (~typename Format::Bits{0} << (Format::mantissa / 2 + 1));
  const V high{__builtin_bit_cast(typename V::Raw, __builtin_bit_cast(Bits, z.raw) & upper_half)};
  const V low = z - high;
  const V square = z * z;
  const V rest = (high * high - square) + V::broadcast(2) * high * low + low * low;
  const V half = V::broadcast(static_cast<T>(0.5));
  const V e = exp(V{} - half * square);
  const V power = e - e * (half * rest);
  const V u = (z - V::broadcast(4)) / (z + V::broadcast(4));
  constexpr int degree = sizeof(NormalSeries<T>::p) / sizeof(T) - 1;
  V p = V::broadcast(NormalSeries<T>::p[degree]);
#pragma GCC unroll 32
  for (int i = degree - 1; i >= 0; --i) p = p * u + V::broadcast(NormalSeries<T>::p[i]);
  const V tail = power * (p / (z + V::broadcast(4)));
  const V below{x.raw > V{}.raw ? (V::broadcast(1) - tail).raw : tail.raw};
  return {power * V::broadcast(static_cast<T>(0.39894228040143267794)), below};
}

}  // namespace fastcnn::generic
