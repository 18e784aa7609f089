// Every convolution algorithm that takes a layer, pass by pass: best GFLOP/s, 2 operations per multiply-add.
//   bench_conv2d [--batch=N] [--prepared] [FILE...] [--benchmark_filter=alexnet/.*/forward/im2col]
// Files, and --batch: conv2d_layers.h. --prepared: weights are packed or transformed before the clock
// starts, as they are at inference. FASTCNN_ISA, FASTCNN_GEMM and FASTCNN_NUM_THREADS say what is measured.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "conv2d_run.h"
#include "core/thread_pool.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/isa.h"

namespace fastcnn {
namespace {

void run(benchmark::State& state, const Conv2dAlgorithm<float>* algorithm, const Conv2dProblem& p,
         Conv2dPass pass, bool prepared) {
  Conv2dRun conv(*algorithm, p, pass);
  double best = 1e9;
  for (auto _ : state) {
    const double seconds = conv.seconds(prepared);
    best = std::min(best, seconds);
    state.SetIterationTime(seconds);
  }
  state.counters["best_GFLOP/s"] =
      2e-9 * static_cast<double>(p.pixels()) * static_cast<double>(p.weights()) / best;
}

void add_benchmarks(const Layer& layer, bool prepared) {
  for (const Conv2dPass pass : conv2d_passes) {
    for (const Conv2dAlgorithm<float>* algorithm : conv2d_algorithms<float>()) {
      if (!algorithm->refusal(layer.problem, pass).empty() || algorithm->name() == "reference") continue;
      const std::string name =
          layer.name + "/" + std::string(name_of(pass)) + "/" + std::string(algorithm->name());
      benchmark::RegisterBenchmark(name.c_str(), run, algorithm, layer.problem, pass, prepared)
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace
}  // namespace fastcnn

int main(int argc, char** argv) try {
  benchmark::Initialize(&argc, argv);
  std::vector<std::string_view> arguments(argv + 1, argv + argc);
  const bool prepared = std::erase(arguments, "--prepared") > 0;
  for (const fastcnn::Layer& layer : fastcnn::read_layers(arguments)) fastcnn::add_benchmarks(layer, prepared);
  const fastcnn::GemmProvider provider = fastcnn::gemm_provider();
  std::printf("%s, %d threads, GEMM by %s %s\n", fastcnn::name_of(fastcnn::active_isa()).data(),
              fastcnn::num_threads().threads, fastcnn::name_of(provider).data(),
              fastcnn::gemm_provider_details(provider).c_str());
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
} catch (const std::exception& error) {
  std::fprintf(stderr, "bench_conv2d: %s\n", error.what());
  return 1;
}
