#include "core/cpu_count.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

#include "core/error.h"
#include "core/thread_pool.h"

namespace fastcnn {
namespace {

std::optional<double> minimum(std::optional<double> a, std::optional<double> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

// "150000 100000" or "max 100000".
std::optional<double> quota_v2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  double quota = 0;
  double period = 0;
  if (file >> quota >> period && quota > 0 && period > 0) return quota / period;
  return std::nullopt;
}

// A quota of -1 means none.
std::optional<double> quota_v1(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us");
  std::ifstream period_file(folder + "/cpu.cfs_period_us");
  double quota = 0;
  double period = 0;
  if (quota_file >> quota && period_file >> period && quota > 0 && period > 0) return quota / period;
  return std::nullopt;
}

// A quota binds the groups below it too, so every folder from `path` up to the mount counts. In a
// container `path` may be the host's: its folders are missing then and the mount itself is the group.
template <class Quota>
std::optional<double> tightest(const std::string& mount, std::string path, Quota quota) {
  std::optional<double> result;
  while (path.find("..") == std::string::npos) {
    result = minimum(result, quota(mount + path));
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) break;
    path.resize(slash);
  }
  return result;
}

bool has_cpu_controller(const std::string& controllers) {
  std::istringstream names(controllers);
  for (std::string name; std::getline(names, name, ',');) {
    if (name == "cpu") return true;
  }
  return false;
}

}  // namespace

int affinity_cpus() {
#if defined(__linux__)
  // The kernel refuses a mask smaller than its own, whose size it doesn't tell.
  for (std::size_t cpus = 1024; cpus <= (1U << 20); cpus *= 2) {
    std::vector<cpu_set_t> mask(cpus / CPU_SETSIZE);
    const std::size_t bytes = mask.size() * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, mask.data()) == 0) return std::max(1, CPU_COUNT_S(bytes, mask.data()));
  }
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::optional<double> cgroup_cpus(const std::string& root) {
  std::optional<double> result;
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "hierarchy:controllers:/path"
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    const std::string mount = root + "/sys/fs/cgroup";
    if (controllers.empty()) {
      result = minimum(result, tightest(mount, path, quota_v2));
    } else if (has_cpu_controller(controllers)) {
      result = minimum(result, tightest(mount + "/" + controllers, path, quota_v1));
      result = minimum(result, tightest(mount + "/cpu", path, quota_v1));
    }
  }
  return result;
}

ThreadCount default_num_threads() {
  const char* variable = std::getenv("FASTCNN_NUM_THREADS");
  const std::string_view text = variable != nullptr ? variable : "";
  if (!text.empty()) {
    int threads = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
    if (error != std::errc{} || end != text.data() + text.size() || threads < 1 || threads > max_threads) {
      throw ValueError("FASTCNN_NUM_THREADS=" + std::string(text) + ": expected a whole number from 1 to " +
                       std::to_string(max_threads));
    }
    return {threads, "FASTCNN_NUM_THREADS"};
  }
  const int cpus = std::min(affinity_cpus(), max_threads);
  const std::optional<double> quota = cgroup_cpus();
  if (quota && std::ceil(*quota) < cpus) {
    char rounded[32];
    std::snprintf(rounded, sizeof rounded, "%.3g", *quota);
    return {static_cast<int>(std::ceil(*quota)), "cgroup quota: " + std::string(rounded) + " CPUs"};
  }
  return {cpus, "affinity: " + std::to_string(cpus) + (cpus == 1 ? " CPU" : " CPUs")};
}

}  // namespace fastcnn
