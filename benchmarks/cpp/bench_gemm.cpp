// GEMM of every provider of this build on the products that networks ask for: GFLOP/s, and percent of the
// FMA peak of one core. Providers and the loop that measures the peak alternate, because the clock changes;
// the best time of each counts.
//   bench_gemm [--parallel] [--f64] [--benchmark_filter=REGEX] [--benchmark_min_time=SECONDS]
// --parallel: through the pool, percent of threads x peak. The seconds are those of one product and provider.
// GB/s: of the native one, each operand counted once; next to the memory's own figure, the product can't be faster.
// FASTCNN_ISA picks the instruction set.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <regex>
#include <string>
#include <vector>

#include "core/allocator.h"
#include "core/error.h"
#include "core/thread_pool.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/kernels.h"

namespace fastcnn {
namespace {

struct Options {
  bool parallel = false;
  bool f64 = false;
  std::string filter;
  double seconds = 0.04;
};

struct Case {
  std::string name;
  bool trans_a, trans_b;
  std::int64_t m, n, k;
};

// The three products of a layer with weights w (out x in), over so many rows of x: y = x w^T, dx = dy w and
// dw = dy^T x.
void add_layer(std::vector<Case>& cases, const std::string& name, std::int64_t rows, std::int64_t in,
               std::int64_t out) {
  cases.push_back({name + "/forward", false, true, rows, out, in});
  cases.push_back({name + "/dx", false, false, rows, in, out});
  cases.push_back({name + "/dw", true, false, out, in, rows});
}

struct Layer {
  const char* name;
  std::int64_t rows, in, out;
};

constexpr Layer fully_connected[] = {
    {"lenet_fc1", 0, 800, 500},      {"lenet_fc2", 0, 500, 10},       {"alexnet_fc6", 0, 9216, 4096},
    {"alexnet_fc7", 0, 4096, 4096},  {"alexnet_fc8", 0, 4096, 1000},  {"vgg11_fc1", 0, 25088, 4096},
};

// The pixels of one image.
constexpr Layer pointwise[] = {
    {"resnet50_1a", 3136, 64, 64},     {"resnet50_1c", 3136, 64, 256},    {"resnet50_1d", 3136, 256, 64},
    {"resnet50_2a", 784, 512, 128},    {"resnet50_2c", 784, 128, 512},    {"resnet50_3a", 196, 1024, 256},
    {"resnet50_3c", 196, 256, 1024},   {"resnet50_4a", 49, 2048, 512},    {"resnet50_4c", 49, 512, 2048},
    {"mobilenet_1p", 12544, 32, 16},   {"mobilenet_2e", 12544, 16, 96},   {"mobilenet_2p", 3136, 96, 24},
    {"mobilenet_3e", 3136, 24, 144},   {"mobilenet_4p", 784, 144, 32},    {"mobilenet_4e", 784, 32, 192},
    {"mobilenet_7p", 196, 192, 64},    {"mobilenet_7e", 196, 64, 384},    {"mobilenet_11p", 196, 384, 96},
    {"mobilenet_12e", 196, 96, 576},   {"mobilenet_14p", 49, 576, 160},   {"mobilenet_15e", 49, 160, 960},
    {"mobilenet_17p", 49, 960, 320},   {"mobilenet_last", 49, 320, 1280},
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (std::int64_t side : {16, 32, 64, 128, 256, 512, 1024}) {
    cases.push_back({"square_" + std::to_string(side), false, false, side, side, side});
  }
  cases.push_back({"square_512_nt", false, true, 512, 512, 512});
  cases.push_back({"square_512_tn", true, false, 512, 512, 512});
  cases.push_back({"square_512_tt", true, true, 512, 512, 512});
  // Chunks of im2col: pixels x c_out x (k_h k_w c_in).
  cases.push_back({"conv_lenet1", false, true, 576, 20, 25});
  cases.push_back({"conv_lenet2", false, true, 512, 50, 500});
  cases.push_back({"conv_alexnet1", false, true, 440, 96, 363});
  cases.push_back({"conv_alexnet2", false, true, 216, 128, 1200});
  cases.push_back({"conv_3x3_64", false, true, 1024, 64, 576});
  cases.push_back({"conv_3x3_512", false, true, 192, 512, 4608});
  cases.push_back({"conv_dx_3x3_256", false, false, 192, 2304, 256});
  cases.push_back({"conv_dw_3x3_256", true, false, 256, 2304, 768});
  // One point of the Winograd transforms: tiles x c_out x c_in, and its weight gradient.
  for (std::int64_t channels : {64, 128, 256, 512}) {
    for (std::int64_t tiles : {32, 100, 200}) {
      const std::string name = "winograd_" + std::to_string(channels) + "_" + std::to_string(tiles);
      cases.push_back({name, false, false, tiles, channels, channels});
      cases.push_back({name + "/dw", true, false, channels, channels, tiles});
    }
  }
  for (const Layer& layer : pointwise) add_layer(cases, layer.name, layer.rows, layer.in, layer.out);
  for (const Layer& layer : fully_connected) {
    for (std::int64_t batch : {1, 16, 64}) {
      add_layer(cases, std::string(layer.name) + "_" + std::to_string(batch), batch, layer.in, layer.out);
    }
  }
  return cases;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

template <class T>
double measured_peak() {
  double best = 0;
  for (int run = 0; run < 20; ++run) {
    const auto start = std::chrono::steady_clock::now();
    const auto ops = static_cast<double>(kernels<T>().fma_peak(10'000));
    best = std::max(best, 1e-9 * ops / seconds_since(start));
  }
  return best;
}

// As the library's own tensors are allocated.
template <class T>
class Matrix {
 public:
  explicit Matrix(std::int64_t count) : buffer_(allocate(static_cast<std::size_t>(count) * sizeof(T))) {
    for (std::int64_t i = 0; i < count; ++i) data()[i] = static_cast<T>(i % 7) - 3;
  }
  T* data() { return reinterpret_cast<T*>(buffer_.get()); }

 private:
  Buffer buffer_;
};

template <class T>
void run(const Case& shape, const Options& options) {
  const auto& [name, trans_a, trans_b, m, n, k] = shape;
  Matrix<T> a(m * k), b(k * n), c(m * n);
  const Gemm<T> problem{.trans_a = trans_a, .trans_b = trans_b, .m = m, .n = n, .k = k,
                        .a = a.data(), .lda = trans_a ? m : k, .b = b.data(), .ldb = trans_b ? k : n,
                        .c = c.data(), .ldc = n};
  const double ops = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const auto bytes = static_cast<double>((m * k + k * n + m * n) * static_cast<std::int64_t>(sizeof(T)));
  // So many products are timed at once that the clock's own time doesn't count.
  const int calls = static_cast<int>(std::clamp(2e6 / ops, 1.0, 1000.0));

  const std::vector<GemmProvider> providers = available_gemm_providers();
  std::vector<double> best(providers.size(), 1e9);
  double peak = 0;
  const auto start = std::chrono::steady_clock::now();
  do {
    peak = std::max(peak, measured_peak<T>());
    for (std::size_t i = 0; i < providers.size(); ++i) {
      set_gemm_provider(providers[i]);
      // Long enough in a row that the caches and the pages are its own.
      const auto turn = std::chrono::steady_clock::now();
      do {
        const auto begin = std::chrono::steady_clock::now();
        for (int call = 0; call < calls; ++call) options.parallel ? parallel_gemm(problem) : gemm(problem);
        best[i] = std::min(best[i], seconds_since(begin) / calls);
      } while (seconds_since(turn) < options.seconds / 4);
    }
  } while (seconds_since(start) < options.seconds * static_cast<double>(providers.size()));

  if (options.parallel) peak *= thread_count();
  std::printf("%-26s%6lld%6lld%6lld", name.c_str(), static_cast<long long>(m), static_cast<long long>(n),
              static_cast<long long>(k));
  for (double seconds : best) std::printf("%9.1f%5.0f%%", 1e-9 * ops / seconds, 1e-7 * ops / seconds / peak);
  for (std::size_t i = 1; i < best.size(); ++i) std::printf("%7.2f", best[i] / best[0]);
  std::printf("%7.0f\n", 1e-9 * bytes / best[0]);
  std::fflush(stdout);
}

template <class T>
void run_all(const Options& options) {
  std::printf("%s, %s: peak of one core %.1f GFLOP/s\n", options.f64 ? "f64" : "f32", name_of(active_isa()).data(),
              measured_peak<T>());
  const std::vector<GemmProvider> providers = available_gemm_providers();
  for (GemmProvider provider : providers) {
    std::printf("%s: %s\n", name_of(provider).data(), gemm_provider_details(provider).c_str());
  }
  std::printf("%-26s%6s%6s%6s", "product", "m", "n", "k");
  for (GemmProvider provider : providers) std::printf("%9s  peak", name_of(provider).data());
  for (std::size_t i = 1; i < providers.size(); ++i) std::printf("  ratio");
  std::printf("   GB/s\n");
  const std::regex filter(options.filter);
  for (const Case& shape : all_cases()) {
    if (std::regex_search(shape.name, filter)) run<T>(shape, options);
  }
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const std::string value = word.substr(std::min(word.size(), word.find('=') + 1));
    if (word == "--parallel") {
      options.parallel = true;
    } else if (word == "--f64") {
      options.f64 = true;
    } else if (word.starts_with("--benchmark_filter=")) {
      options.filter = value;
    } else if (word.starts_with("--benchmark_min_time=")) {
      options.seconds = std::stod(value);
    } else {
      throw ValueError("bench_gemm: unknown option " + word);
    }
  }
  return options;
}

}  // namespace
}  // namespace fastcnn

int main(int argc, char** argv) {
  try {
    const fastcnn::Options options = fastcnn::parse(argc, argv);
    options.f64 ? fastcnn::run_all<double>(options) : fastcnn::run_all<float>(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
