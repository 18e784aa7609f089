#include "core/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <numeric>
#include <vector>

namespace fastcnn {
namespace {

TEST(ParallelRanges, CoverEachItemOnce) {
  for (const std::int64_t n : {0, 1, 7, 16384, 100003}) {
    for (const std::int64_t ops : {0, 1, 300, 1 << 20}) {
      std::vector<std::atomic<int>> times(static_cast<std::size_t>(n));
      parallel_ranges(n, ops, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) ++times[static_cast<std::size_t>(i)];
      });
      for (const std::atomic<int>& time : times) ASSERT_EQ(time, 1) << n << " items of " << ops << " operations";
    }
  }
}

TEST(ParallelRanges, AreOfEqualSizeButTheLast) {
  std::mutex one_at_a_time;
  std::vector<std::int64_t> sizes;
  parallel_ranges(100003, 3, [&](std::int64_t begin, std::int64_t end) {
    const std::scoped_lock lock(one_at_a_time);
    sizes.push_back(end - begin);
  });
  std::sort(sizes.rbegin(), sizes.rend());
  ASSERT_GE(sizes.size(), 2u);
  EXPECT_LE(sizes.front() * 3, 1 << 14);
  EXPECT_EQ(sizes.front(), sizes[sizes.size() - 2]);
  EXPECT_EQ(std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}), 100003);
}

TEST(EvenShare, CutsHalvesWholly) {
  EXPECT_EQ(even_share(112, 8), 8);    // 7 shares in each half
  EXPECT_EQ(even_share(112, 10), 8);
  EXPECT_EQ(even_share(14, 8), 7);
  EXPECT_EQ(even_share(28, 28), 14);
  EXPECT_EQ(even_share(2, 1), 1);
}

TEST(EvenShare, IsTheMostWhereNoShareOfHalfAsManyOrMoreFits) {
  EXPECT_EQ(even_share(7, 3), 3);      // no halves
  EXPECT_EQ(even_share(26, 10), 10);   // 13 is prime
  EXPECT_EQ(even_share(14, 100), 100);
  EXPECT_EQ(even_share(0, 4), 4);
}

TEST(ParallelCopy, CopiesAllBytesAndLeavesTheSameMemoryAlone) {
  std::vector<int> from(100003);
  std::iota(from.begin(), from.end(), 1);
  std::vector<int> to(from.size());
  parallel_copy(from.data(), to.data(), static_cast<std::int64_t>(from.size() * sizeof(int)));
  EXPECT_EQ(from, to);
  parallel_copy(to.data(), to.data(), static_cast<std::int64_t>(to.size() * sizeof(int)));
  EXPECT_EQ(from, to);
}

}  // namespace
}  // namespace fastcnn
