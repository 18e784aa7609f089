// GEMM of every provider of this build, on the shapes of networks: GFLOP/s, and percent of the peak that
// this ISA's kernel reaches out of the first-level cache in the same run. FASTCNN_ISA picks the ISA.
//   bench_gemm --benchmark_filter=square        one thread
//   bench_gemm --benchmark_filter=parallel      through the pool, percent of threads x peak
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "core/thread_pool.h"
#include "cpu/gemm.h"
#include "cpu/isa.h"
#include "cpu/kernels.h"

namespace fastcnn {
namespace {

struct Case {
  const char* name;
  bool trans_a, trans_b;
  std::int64_t m, n, k;
};

// conv: pixels x c_out x (k_h k_w c_in) of one chunk; fc: batch x out x in, forward (y = x w^T),
// dx = dy w and dw = dy^T x.
constexpr Case cases[] = {
    {"square_64", false, false, 64, 64, 64},
    {"square_128", false, false, 128, 128, 128},
    {"square_256", false, false, 256, 256, 256},
    {"square_512", false, false, 512, 512, 512},
    {"square_1024", false, false, 1024, 1024, 1024},
    {"square_2048", false, false, 2048, 2048, 2048},
    {"conv_lenet1", false, true, 576, 20, 25},
    {"conv_lenet2", false, true, 512, 50, 500},
    {"conv_alexnet1", false, true, 440, 48, 363},
    {"conv_alexnet2", false, true, 216, 128, 1200},
    {"conv_alexnet3", false, true, 192, 384, 2304},
    {"conv_3x3_64", false, true, 1024, 64, 576},
    {"conv_3x3_512", false, true, 192, 512, 4608},
    {"conv_dx_3x3_256", false, false, 192, 2304, 256},
    {"conv_dw_3x3_256", true, false, 256, 2304, 768},
    {"fc_lenet_64", false, true, 64, 500, 800},
    {"fc_lenet_out_64", false, true, 64, 10, 500},
    {"fc6_1", false, true, 1, 4096, 9216},
    {"fc6_8", false, true, 8, 4096, 9216},
    {"fc6_64", false, true, 64, 4096, 9216},
    {"fc6_dx_1", false, false, 1, 9216, 4096},
    {"fc6_dx_64", false, false, 64, 9216, 4096},
    {"fc6_dw_64", true, false, 4096, 9216, 64},
};

template <class T>
std::vector<T> filled(std::int64_t count) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i % 7) - 3;
  return values;
}

// GFLOP/s of the largest register tile with both panels in the first-level cache, best of many runs.
template <class T>
double measured_peak() {
  const GemmKernels<T>& kernel = kernels<T>().gemm;
  constexpr std::int64_t k = 128;
  constexpr int calls = 2000;
  const std::vector<T> a = filled<T>(kernel.rows * k);
  const std::vector<T> b = filled<T>(kernel.cols * k);
  std::vector<T> c(static_cast<std::size_t>(kernel.rows * kernel.cols));
  const GemmBlock<T> block{.m = kernel.rows, .n = kernel.cols, .k = k, .a = a.data(), .a_rows = kernel.rows,
                           .b = b.data(), .ldb = 0, .alpha = 1, .beta = 0, .c = c.data(), .ldc = kernel.cols,
                           .finish = false, .bias = nullptr, .activation = {}};
  double best = 1e9;
  for (int run = 0; run < 20; ++run) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < calls; ++i) kernel.multiply(block);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return 2e-9 * static_cast<double>(kernel.rows * kernel.cols * k * calls) / best;
}

template <class T>
void run(benchmark::State& state, GemmProvider provider, bool parallel, const Case& shape, double peak) {
  set_gemm_provider(provider);
  const auto [name, trans_a, trans_b, m, n, k] = shape;
  const std::vector<T> a = filled<T>(m * k);
  const std::vector<T> b = filled<T>(k * n);
  const std::vector<T> bias = filled<T>(n);
  std::vector<T> c(static_cast<std::size_t>(m * n));
  const Gemm<T> problem{.trans_a = trans_a, .trans_b = trans_b, .m = m, .n = n, .k = k,
                        .a = a.data(), .lda = trans_a ? m : k, .b = b.data(), .ldb = trans_b ? k : n,
                        .c = c.data(), .ldc = n,
                        .epilogue = {.bias = bias.data(), .activation = {.kind = Activation::Kind::relu}}};
  double best = 1e9;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    parallel ? parallel_gemm(problem) : gemm(problem);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::min(best, seconds);
    state.SetIterationTime(seconds);
  }
  const double gflops = 2e-9 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) / best;
  state.counters["best_GFLOP/s"] = gflops;
  state.counters["percent_of_peak"] = 100 * gflops / (peak * (parallel ? num_threads().threads : 1));
}

template <class T>
void add_benchmarks(const std::string& dtype) {
  const double peak = measured_peak<T>();
  std::printf("%s peak of one core, %s: %.1f GFLOP/s\n", dtype.c_str(), name_of(active_isa()).data(), peak);
  for (bool parallel : {false, true}) {
    for (const Case& shape : cases) {
      for (GemmProvider provider : available_gemm_providers()) {
        const std::string name = std::string(shape.name) + "/" + std::string(name_of(provider)) + "/" + dtype +
                                 (parallel ? "/parallel" : "");
        benchmark::RegisterBenchmark(name.c_str(), run<T>, provider, parallel, shape, peak)->UseManualTime();
      }
    }
  }
}

}  // namespace
}  // namespace fastcnn

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  fastcnn::add_benchmarks<float>("f32");
  fastcnn::add_benchmarks<double>("f64");
  for (fastcnn::GemmProvider provider : fastcnn::available_gemm_providers()) {
    std::printf("%s: %s\n", name_of(provider).data(), gemm_provider_details(provider).c_str());
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
