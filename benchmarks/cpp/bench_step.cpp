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

// What the executor adds to an op: a chain of activations of one element, time per step.
void step_overhead(benchmark::State& state, bool timing) {
  constexpr int steps = 1000;
  NetworkBuilder chain({1, 1});
  for (int i = 0; i < steps; ++i) chain.relu("relu" + std::to_string(i));
  Runner runner(chain.finish(Mode::inference), Mode::inference);
  runner.executor().set_timing(timing);
  for (auto _ : state) runner.infer();
  state.counters["s/step"] = benchmark::Counter(steps, benchmark::Counter::kIsIterationInvariantRate |
                                                           benchmark::Counter::kInvert);
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

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Median microseconds of each step of the plan and of the whole training step. On a busy
// machine the medians of the parts add up to less than that of the whole.
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
    const double train_seconds = seconds_since(start);
    if (run < 0) continue;
    whole.push_back(train_seconds);
    for (std::size_t i = 0; i < steps.size(); ++i) seconds[i].push_back(runner.executor().step_seconds()[i]);
  }
  std::fputs(plan.explain().c_str(), stdout);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    std::printf("%10.1f us  %s\n", median(seconds[i]) * 1e6, plan.step_name(*steps[i]).c_str());
  }
  std::printf("%10.1f us  training step, %.0f images/s\n", median(whole) * 1e6,
              static_cast<double>(batch) / median(whole));
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
  for (const bool timing : {false, true}) {
    benchmark::RegisterBenchmark(timing ? "step_overhead/timed" : "step_overhead", &step_overhead, timing);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
