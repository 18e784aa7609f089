// What the rules of cpp/backend/cpu/conv2d/rules.cpp cost: for each layer and pass, every algorithm that takes it is
// timed, and the one that "auto" chooses is compared with the fastest. Regret is chosen / fastest - 1.
//   bench_conv2d_rules [--batch=N] [--prepared] [--min_time=SECONDS] [FILE...]
// Files, --batch: conv2d_layers.h; --prepared: bench_conv2d.cpp. Repeats of the algorithms take turns, and
// the best of each counts.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <stdexcept>

#include "conv2d_run.h"
#include "core/thread_pool.h"
#include "backend/cpu/isa.h"

namespace fastcnn {
namespace {

struct Candidate {
  std::string_view name;
  std::unique_ptr<Conv2dRun> run;
  double best = 1e9;
  double spent = 0;
};

class Report {
 public:
  void add(const Layer& layer, Conv2dPass pass, const std::vector<Candidate>& candidates) {
    const auto& p = layer.problem;
    const std::string_view choice = choose_conv2d_algorithm<float>(Conv2dSelection(), p, pass).name();
    const auto chosen = std::ranges::find(candidates, choice, &Candidate::name);
    const auto fastest = std::ranges::min_element(candidates, {}, &Candidate::best);
    const double ratio = chosen->best / fastest->best;
    std::printf("%-28s %-16s %-14s %7.2f ms %5.0f%%  ", layer.name.c_str(), name_of(pass).data(), choice.data(),
                1e3 * chosen->best, 100 * (ratio - 1));
    for (const Candidate& candidate : candidates) {
      const double operations = 2.0 * static_cast<double>(p.pixels()) * static_cast<double>(p.weights());
      std::printf(" %s %.0f", candidate.name.data(), 1e-9 * operations / candidate.best);
    }
    std::printf("\n");
    log_sum_ += std::log(ratio);
    ++count_;
    if (ratio > worst_) {
      worst_ = ratio;
      worst_name_ = layer.name + " " + std::string(name_of(pass));
    }
  }

  void finish() const {
    std::printf("regret: mean %.1f%% (geometric), worst %.0f%% (%s), %d cases\n",
                100 * (std::exp(log_sum_ / std::max(count_, 1)) - 1), 100 * (worst_ - 1), worst_name_.c_str(),
                count_);
  }

 private:
  double log_sum_ = 0;
  int count_ = 0;
  double worst_ = 1;
  std::string worst_name_ = "none";
};

std::vector<Candidate> time_all(const Conv2dProblem& p, Conv2dPass pass, bool prepared, double min_time) {
  std::vector<Candidate> candidates;
  for (const Conv2dAlgorithm<float>* algorithm : conv2d_algorithms<float>()) {
    if (!algorithm->refusal(p, pass).empty() || algorithm->name() == "reference") continue;
    candidates.push_back({algorithm->name(), std::make_unique<Conv2dRun>(*algorithm, p, pass)});
  }
  for (Candidate& candidate : candidates) candidate.run->seconds(prepared);
  for (int repeat = 0; repeat < 200; ++repeat) {
    bool enough = true;
    for (Candidate& candidate : candidates) {
      if (repeat >= 3 && candidate.spent > min_time) continue;
      const double seconds = candidate.run->seconds(prepared);
      candidate.best = std::min(candidate.best, seconds);
      candidate.spent += seconds;
      enough = false;
    }
    if (enough) break;
  }
  return candidates;
}

}  // namespace
}  // namespace fastcnn

int main(int argc, char** argv) try {
  using namespace fastcnn;
  std::vector<std::string_view> arguments(argv + 1, argv + argc);
  const bool prepared = std::erase(arguments, "--prepared") > 0;
  double min_time = 0.05;
  std::erase_if(arguments, [&](std::string_view argument) {
    const bool mine = argument.starts_with("--min_time=") || argument.starts_with("--benchmark_min_time=");
    if (mine) min_time = std::stod(std::string(argument.substr(argument.find('=') + 1)));
    return mine;
  });
  std::printf("%s, %d threads. Layer, pass, choice, its best time, regret, GFLOP/s of each\n",
              name_of(active_isa()).data(), num_threads().threads);
  Report report;
  for (const Layer& layer : read_layers(arguments)) {
    for (const Conv2dPass pass : conv2d_passes) {
      report.add(layer, pass, time_all(layer.problem, pass, prepared, min_time));
    }
  }
  report.finish();
} catch (const std::exception& error) {
  std::fprintf(stderr, "bench_conv2d_rules: %s\n", error.what());
  return 1;
}
