// Whole networks: one training step (forward, loss, backward, update) and one inference pass by batch
// size, in images/s. With --steps NETWORK BATCH: instead, the median time of each step of training.
//   bench_step --benchmark_filter=lenet --benchmark_repetitions=5
//   bench_step --steps lenet 64
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "networks.h"

namespace fastcnn::benchmarks {
namespace {

using MakeGraph = Graph (*)(std::int64_t batch, Mode mode);

void train(benchmark::State& state, MakeGraph make) {
  Runner runner(make(state.range(0), Mode::training), Mode::training);
  runner.train();
  for (auto _ : state) runner.train();
  state.counters["images/s"] =
      benchmark::Counter(static_cast<double>(state.iterations() * state.range(0)), benchmark::Counter::kIsRate);
}

void infer(benchmark::State& state, MakeGraph make) {
  Runner runner(make(state.range(0), Mode::inference), Mode::inference);
  runner.infer();
  for (auto _ : state) runner.infer();
  state.counters["images/s"] =
      benchmark::Counter(static_cast<double>(state.iterations() * state.range(0)), benchmark::Counter::kIsRate);
}

void add_network(const std::string& name, MakeGraph make, const std::vector<std::int64_t>& batches) {
  for (const auto& [kind, run] : {std::pair{"train", &train}, std::pair{"infer", &infer}}) {
    auto* bench = benchmark::RegisterBenchmark((name + "/" + kind).c_str(), run, make);
    for (const std::int64_t batch : batches) bench->Arg(batch);
    bench->UseRealTime()->Unit(benchmark::kMillisecond);
  }
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Median microseconds of each step of the plan, then of the whole training step with the update.
void print_steps(MakeGraph make, std::int64_t batch) {
  constexpr int runs = 51;
  Runner runner(make(batch, Mode::training), Mode::training);
  const Plan& plan = runner.executor().plan();
  std::vector<const Step*> steps;
  for (const auto* part : {&plan.forward_steps(), &plan.backward_steps()}) {
    for (const Step& step : *part) steps.push_back(&step);
  }
  std::vector<std::vector<double>> seconds(steps.size());
  std::vector<double> whole;
  runner.executor().set_timing(true);
  for (int run = -3; run < runs; ++run) {
    const auto start = std::chrono::steady_clock::now();
    runner.train();
    if (run < 0) continue;
    whole.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    for (std::size_t i = 0; i < steps.size(); ++i) seconds[i].push_back(runner.executor().step_seconds()[i]);
  }
  std::fputs(plan.explain().c_str(), stdout);
  double sum = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const double microseconds = median(seconds[i]) * 1e6;
    sum += microseconds;
    std::printf("%10.1f us  %s\n", microseconds, plan.step_name(*steps[i]).c_str());
  }
  const double total = median(whole) * 1e6;
  std::printf("%10.1f us  update and all else\n%10.1f us  training step, %.0f images/s\n", total - sum, total,
              1e6 * static_cast<double>(batch) / total);
}

}  // namespace
}  // namespace fastcnn::benchmarks

int main(int argc, char** argv) {
  using namespace fastcnn::benchmarks;
  if (argc == 4 && std::strcmp(argv[1], "--steps") == 0) {
    print_steps(std::strcmp(argv[2], "alexnet") == 0 ? &alexnet : &lenet, std::atoll(argv[3]));
    return 0;
  }
  add_network("lenet", &lenet, {1, 64, 256});
  add_network("alexnet", &alexnet, {1, 16, 64});
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
