// How many CPUs this process may use.
#pragma once

#include <optional>
#include <string>

namespace fastcnn {

// CPUs that the scheduler may place this process on; at least 1.
int affinity_cpus();

// The tightest CPU quota of the cgroups (v2 or v1) that hold this process, in CPUs; nothing when there
// is none or the system has no cgroups. `root` stands before /proc and /sys.
std::optional<double> cgroup_cpus(const std::string& root = "");

}  // namespace fastcnn
