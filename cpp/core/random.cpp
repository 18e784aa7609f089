#include "core/random.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "core/ceil_div.h"
#include "core/thread_pool.h"

// Every number here is made of operations that IEEE 754 rounds correctly, in a fixed order, and this
// file is compiled without contraction to FMA: that is why no machine and no libm changes a number.
// The loops over blocks are what the compiler vectorises.
namespace fastcnn {
namespace {

constexpr std::int64_t block = random_block;  // numbers made at once: 4 words of block / 4 counters
constexpr std::int64_t blocks_per_task = 16;  // about 100 microseconds of work
constexpr std::int64_t ops_per_number = 30;
constexpr double turn = 4294967296.0;  // 2^32: what a word counts

// (word + 1/2), exact; via int32, for which CPUs have vector conversions.
double centre(std::uint32_t word) {
  return static_cast<double>(static_cast<std::int32_t>(word ^ 0x80000000U)) + (turn / 2 + 0.5);
}

// Words of the block in the order of elements.
void draw(std::uint64_t seed, std::uint64_t stream, std::int64_t first, std::uint32_t* words) {
  philox_words(seed, stream, static_cast<std::uint64_t>(first / 4), block / 4, words);
}

// Natural logarithm of a positive normal number: x = 2^k m with m in [sqrt(1/2), sqrt(2)), and
// log m = 2 artanh(s), s = (m - 1) / (m + 1), by its Taylor series; s^2 < 0.03, so 10 terms do.
double log_positive(double x) {
  constexpr auto one = std::bit_cast<std::uint64_t>(1.0);
  constexpr auto root_half = std::bit_cast<std::uint64_t>(std::numbers::sqrt2 / 2);
  constexpr std::uint64_t mantissa = (std::uint64_t{1} << 52) - 1;
  constexpr double two52 = 4503599627370496.0;
  constexpr auto two52_bits = std::bit_cast<std::uint64_t>(two52);
  const std::uint64_t shifted = std::bit_cast<std::uint64_t>(x) + (one - root_half);
  // The integer k + 1023 in the low bits of 2^52: a conversion to double that vectorises.
  const double k = std::bit_cast<double>(shifted >> 52 | two52_bits) - (two52 + 1023);
  const double m = std::bit_cast<double>((shifted & mantissa) + root_half);
  const double s = (m - 1) / (m + 1);
  const double z = s * s;
  double series = 1.0 / 19;
  series = series * z + 1.0 / 17;
  series = series * z + 1.0 / 15;
  series = series * z + 1.0 / 13;
  series = series * z + 1.0 / 11;
  series = series * z + 1.0 / 9;
  series = series * z + 1.0 / 7;
  series = series * z + 1.0 / 5;
  series = series * z + 1.0 / 3;
  series = series * z + 1.0;
  return k * std::numbers::ln2 + 2 * s * series;
}

struct Point {
  double x;
  double y;
};

// (cos, sin) of 2 pi word / 2^32: Taylor series in the quarter turn around the nearest axis, then
// rotated to that axis.
Point on_circle(std::uint32_t word) {
  const std::uint32_t axis = (word + (1U << 29)) >> 30;
  const double t = static_cast<double>(static_cast<std::int32_t>(word - (axis << 30))) *
                   (2 * std::numbers::pi / turn);
  const double z = t * t;
  double sine = -1.0 / 1307674368000;
  sine = sine * z + 1.0 / 6227020800;
  sine = sine * z - 1.0 / 39916800;
  sine = sine * z + 1.0 / 362880;
  sine = sine * z - 1.0 / 5040;
  sine = sine * z + 1.0 / 120;
  sine = sine * z - 1.0 / 6;
  sine = (sine * z + 1.0) * t;
  double cosine = 1.0 / 20922789888000;
  cosine = cosine * z - 1.0 / 87178291200;
  cosine = cosine * z + 1.0 / 479001600;
  cosine = cosine * z - 1.0 / 3628800;
  cosine = cosine * z + 1.0 / 40320;
  cosine = cosine * z - 1.0 / 720;
  cosine = cosine * z + 1.0 / 24;
  cosine = cosine * z - 1.0 / 2;
  cosine = cosine * z + 1.0;
  const double x = (axis & 1) != 0 ? sine : cosine;
  const double y = (axis & 1) != 0 ? cosine : sine;
  return {((axis + 1) & 2) != 0 ? -x : x, (axis & 2) != 0 ? -y : y};
}

// Standard normal numbers in pairs (Box and Muller, "A note on the generation of random normal
// deviates", 1958).
void to_normal(const std::uint32_t* words, double* numbers) {
  for (std::int64_t i = 0; i < block; i += 2) {
    const double radius = std::sqrt(-2 * log_positive(centre(words[i]) / turn));
    const Point point = on_circle(words[i + 1]);
    numbers[i] = radius * point.x;
    numbers[i + 1] = radius * point.y;
  }
}

void to_uniform(const std::uint32_t* words, double* numbers) {
  for (std::int64_t i = 0; i < block; ++i) numbers[i] = (centre(words[i]) - 0.5) / turn;
}

// y[i] = finish(number i), where `transform` makes a block of numbers of a block of words.
template <class T, class Transform, class Finish>
void fill(View y, std::uint64_t seed, std::uint64_t stream, Transform transform, Finish finish) {
  const std::int64_t n = y.spec.shape.numel();
  const std::int64_t blocks = ceil_div(n, block);
  const std::int64_t tasks = ceil_div(blocks, blocks_per_task);
  T* out = y.as<T>();
  parallel_for(tasks, block * blocks_per_task * ops_per_number, [=](std::int64_t task, int) {
    std::uint32_t words[block];
    double numbers[block];
    const std::int64_t end = std::min(n, (task + 1) * blocks_per_task * block);
    for (std::int64_t first = task * blocks_per_task * block; first < end; first += block) {
      draw(seed, stream, first, words);
      transform(words, numbers);
      const std::int64_t count = std::min(block, end - first);
      for (std::int64_t i = 0; i < count; ++i) out[first + i] = finish(numbers[i]);
    }
  });
}

}  // namespace

void philox_words(std::uint64_t key, std::uint64_t counter_high, std::uint64_t first, std::int64_t count,
                  std::uint32_t* words) {
  for (std::int64_t i = 0; i < count; ++i) {
    const auto word = philox(key, counter_high, first + static_cast<std::uint64_t>(i));
    for (std::size_t j = 0; j < 4; ++j) words[4 * i + static_cast<std::int64_t>(j)] = word[j];
  }
}

void fill_uniform(View y, std::uint64_t seed, std::uint64_t stream, double low, double high) {
  dispatch_floating(y.spec.dtype, [&]<class T>() {
    // Rounding may reach `high`, which the interval leaves out.
    const T last = std::max(static_cast<T>(low), std::nextafter(static_cast<T>(high), static_cast<T>(low)));
    fill<T>(y, seed, stream, to_uniform, [low, width = high - low, last](double u) {
      return std::min(static_cast<T>(low + width * u), last);
    });
  });
}

void fill_normal(View y, std::uint64_t seed, std::uint64_t stream, double mean, double std) {
  dispatch_floating(y.spec.dtype, [&]<class T>() {
    fill<T>(y, seed, stream, to_normal, [mean, std](double z) { return static_cast<T>(mean + std * z); });
  });
}

void draw_normal(std::uint64_t seed, std::uint64_t stream, std::int64_t block_index, double* numbers) {
  std::uint32_t words[block];
  draw(seed, stream, block_index * block, words);
  to_normal(words, numbers);
}

}  // namespace fastcnn
