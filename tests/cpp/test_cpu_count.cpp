#include "core/cpu_count.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "core/thread_pool.h"

namespace fastcnn {
namespace {

// A made-up system under a temporary folder.
class Cgroup : public testing::Test {
 protected:
  Cgroup() {
    root_ = testing::TempDir() + "fastcnn_" + testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(root_);
  }
  ~Cgroup() override { std::filesystem::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }

  std::string root_;
};

TEST_F(Cgroup, without_cgroups_there_is_no_quota) { EXPECT_EQ(cgroup_cpus(root_), std::nullopt); }

TEST_F(Cgroup, v2_quota_at_the_mount_of_a_container) {
  write("/proc/self/cgroup", "0::/\n");
  write("/sys/fs/cgroup/cpu.max", "150000 100000\n");
  EXPECT_EQ(cgroup_cpus(root_), 1.5);
}

TEST_F(Cgroup, v2_max_means_no_quota) {
  write("/proc/self/cgroup", "0::/\n");
  write("/sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroup_cpus(root_), std::nullopt);
}

TEST_F(Cgroup, v2_tightest_of_the_nested_groups_counts) {
  write("/proc/self/cgroup", "0::/user.slice/job\n");
  write("/sys/fs/cgroup/user.slice/cpu.max", "200000 100000\n");
  write("/sys/fs/cgroup/user.slice/job/cpu.max", "800000 100000\n");
  EXPECT_EQ(cgroup_cpus(root_), 2.0);
}

TEST_F(Cgroup, v1_quota_of_the_cpu_controller) {
  write("/proc/self/cgroup", "5:memory:/job\n4:cpu,cpuacct:/job\n");
  write("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "250000\n");
  write("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_cpus(root_), 2.5);
}

TEST_F(Cgroup, v1_quota_of_minus_one_means_none) {
  write("/proc/self/cgroup", "4:cpu:/\n");
  write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_cpus(root_), std::nullopt);
}

TEST_F(Cgroup, malformed_lines_are_passed_over) {
  write("/proc/self/cgroup", "nonsense\n0:\n0::/../outside\n\n");
  EXPECT_EQ(cgroup_cpus(root_), std::nullopt);
}

TEST(CpuCount, is_at_least_one) { EXPECT_GE(affinity_cpus(), 1); }

class DefaultNumThreads : public testing::Test {
 protected:
  ~DefaultNumThreads() override { unsetenv("FASTCNN_NUM_THREADS"); }
};

TEST_F(DefaultNumThreads, is_within_affinity_and_says_why) {
  unsetenv("FASTCNN_NUM_THREADS");
  const ThreadCount count = default_num_threads();
  EXPECT_GE(count.threads, 1);
  EXPECT_LE(count.threads, affinity_cpus());
  EXPECT_FALSE(count.reason.empty());
}

TEST_F(DefaultNumThreads, follows_the_environment) {
  setenv("FASTCNN_NUM_THREADS", "3", 1);
  EXPECT_EQ(default_num_threads().threads, 3);
  EXPECT_EQ(default_num_threads().reason, "FASTCNN_NUM_THREADS");
}

TEST_F(DefaultNumThreads, refuses_a_bad_environment_by_name) {
  for (const char* text : {"0", "-1", "two", "2x", "1.5", "1025", "99999999999999999999"}) {
    setenv("FASTCNN_NUM_THREADS", text, 1);
    try {
      default_num_threads();
      ADD_FAILURE() << "accepted " << text;
    } catch (const ValueError& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with("FASTCNN_NUM_THREADS=" + std::string(text)));
    }
  }
}

}  // namespace
}  // namespace fastcnn
