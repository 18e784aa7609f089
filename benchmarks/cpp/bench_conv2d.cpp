// Every convolution algorithm that takes a layer, pass by pass: best GFLOP/s, 2 operations per multiply-add.
//   bench_conv2d [--batch=N] [FILE...] [--benchmark_filter=alexnet/.*/forward/im2col]
// A FILE lists one layer per line; without any, all of benchmarks/shapes/*.txt are read:
//   name x=NxCxHxW w=C_OUTxC_INxKHxKW [stride=S] [pad=P] [dilation=D] [groups=G]     # comment
// C_IN is that of one group; S, P and D are one number or HxW. --batch replaces N.
// FASTCNN_ISA, FASTCNN_GEMM and FASTCNN_NUM_THREADS say what is measured.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/allocator.h"
#include "core/thread_pool.h"
#include "cpu/gemm.h"
#include "cpu/isa.h"
#include "ops/conv2d_algorithm.h"
#include "ops/window.h"

namespace fastcnn {
namespace {

struct Layer {
  std::string name;
  Conv2dProblem problem;
};

std::vector<std::int64_t> numbers(const std::string& text, std::size_t count) {
  std::vector<std::int64_t> values;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, 'x');) values.push_back(std::stoll(part));
  if (values.size() == 1 && count == 2) values.push_back(values[0]);
  if (values.size() != count)
    throw std::runtime_error("expected " + std::to_string(count) + " numbers: " + text);
  return values;
}

Layer parse(const std::string& network, const std::string& line, std::int64_t batch) {
  Layer layer;
  std::vector<std::int64_t> x, w;
  WindowSpec windows;
  const auto pair = [](const std::string& text) {
    const auto values = numbers(text, 2);
    return Pair{values[0], values[1]};
  };
  std::istringstream stream(line);
  stream >> layer.name;
  for (std::string word; stream >> word;) {
    const std::string key = word.substr(0, word.find('='));
    const std::string value = word.substr(std::min(word.size(), key.size() + 1));
    if (key == "x")
      x = numbers(value, 4);
    else if (key == "w")
      w = numbers(value, 4);
    else if (key == "stride")
      windows.stride = pair(value);
    else if (key == "pad")
      windows.pad = pair(value);
    else if (key == "dilation")
      windows.dilation = pair(value);
    else if (key == "groups")
      layer.problem.groups = numbers(value, 1)[0];
    else
      throw std::runtime_error("unknown word: " + word);
  }
  if (x.empty() || w.empty()) throw std::runtime_error("x= and w= are needed: " + line);
  if (w[1] * layer.problem.groups != x[1]) throw std::runtime_error("channels don't fit: " + line);
  windows.kernel = {w[2], w[3]};
  static_cast<Windows2d&>(layer.problem) = slide(windows, Shape(x));
  layer.problem.n = batch > 0 ? batch : x[0];
  layer.problem.c_in = x[1];
  layer.problem.c_out = w[0];
  layer.name = network + "/" + layer.name;
  return layer;
}

std::vector<Layer> read_layers(const std::filesystem::path& file, std::int64_t batch) {
  std::ifstream stream(file);
  if (!stream) throw std::runtime_error("can't open " + file.string());
  std::vector<Layer> layers;
  for (std::string line; std::getline(stream, line);) {
    line.resize(std::min(line.size(), line.find('#')));
    if (line.find_first_not_of(" \t\r") != std::string::npos)
      layers.push_back(parse(file.stem().string(), line, batch));
  }
  return layers;
}

Buffer filled(std::int64_t count) {
  Buffer buffer = allocate(static_cast<std::size_t>(count) * sizeof(float));
  auto* values = reinterpret_cast<float*>(buffer.get());
  for (std::int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(i % 7) - 3;
  return buffer;
}

void run(benchmark::State& state, const Conv2dAlgorithm<float>* algorithm, const Conv2dProblem& p,
         Conv2dPass pass) {
  const Buffer x_buffer = filled(p.n * p.c_in * p.h_in * p.w_in);
  const Buffer w_buffer = filled(p.weights());
  const Buffer b_buffer = filled(p.c_out);
  const Buffer y_buffer = filled(p.pixels() * p.c_out);
  const auto at = [](const Buffer& buffer) { return reinterpret_cast<float*>(buffer.get()); };
  const ScratchSize size = algorithm->scratch(p, pass);
  const std::size_t stride = align_up(size.per_thread);
  const Buffer shared = allocate(size.shared);
  const Buffer per_thread = allocate(stride * static_cast<std::size_t>(num_threads().threads));
  const Scratch scratch(shared.get(), per_thread.get(), stride);
  const Epilogue<float> epilogue{at(b_buffer), {.kind = Activation::Kind::relu}};
  double best = 1e9;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    switch (pass) {
      case Conv2dPass::forward:
        algorithm->forward(p, at(x_buffer), at(w_buffer), epilogue, at(y_buffer), scratch);
        break;
      case Conv2dPass::backward_data:
        algorithm->backward_data(p, at(y_buffer), at(w_buffer), at(x_buffer), scratch);
        break;
      case Conv2dPass::backward_weights:
        algorithm->backward_weights(p, at(x_buffer), at(y_buffer), at(w_buffer), scratch);
        break;
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::min(best, seconds);
    state.SetIterationTime(seconds);
  }
  state.counters["best_GFLOP/s"] =
      2e-9 * static_cast<double>(p.pixels()) * static_cast<double>(p.weights()) / best;
}

void add_benchmarks(const Layer& layer) {
  for (const Conv2dPass pass : conv2d_passes) {
    for (const Conv2dAlgorithm<float>* algorithm : conv2d_algorithms<float>()) {
      if (!algorithm->refusal(layer.problem, pass).empty() || algorithm->name() == "reference") continue;
      const std::string name =
          layer.name + "/" + std::string(name_of(pass)) + "/" + std::string(algorithm->name());
      benchmark::RegisterBenchmark(name.c_str(), run, algorithm, layer.problem, pass)
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
}

void add_all(const std::vector<std::string_view>& arguments) {
  std::vector<std::filesystem::path> files;
  std::int64_t batch = 0;
  for (const std::string_view argument : arguments) {
    if (argument.starts_with("--batch="))
      batch = std::stoll(std::string(argument.substr(8)));
    else
      files.emplace_back(argument);
  }
  if (files.empty()) {
    for (const auto& entry : std::filesystem::directory_iterator(FASTCNN_SHAPES)) {
      if (entry.path().extension() == ".txt") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
  }
  for (const auto& file : files) {
    for (const Layer& layer : read_layers(file, batch)) add_benchmarks(layer);
  }
}

}  // namespace
}  // namespace fastcnn

int main(int argc, char** argv) try {
  benchmark::Initialize(&argc, argv);
  fastcnn::add_all({argv + 1, argv + argc});
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
