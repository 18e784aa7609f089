// The layers that memory bounds, forward and backward, in GB/s of what each reads and writes at the least: the
// inputs, the output and what forward saves. `fastcnn info --measure` says what the machine can.
//   bench_layers --benchmark_filter=pool
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/cpu/backend.h"
#include "core/thread_pool.h"
#include "ops/activation.h"
#include "ops/registry.h"

namespace fastcnn::benchmarks {
namespace {

struct Layer {
  std::string name;
  std::string kind;
  std::vector<Spec> x;
  Attributes attributes{};
};

Attributes with(Attributes attributes, const char* name, Attribute value) {
  attributes[name] = std::move(value);
  return attributes;
}

// Spatial sizes and channels as in the network of the name.
std::vector<Layer> layers() {
  const std::int64_t two = 2, three = 3;
  const Attributes overlapping{{"kernel", three}, {"stride", two}};
  const Attributes rounded_up{{"kernel", three}, {"stride", two}, {"ceil_mode", true}};
  const Attributes alexnet_norm{{"size", std::int64_t{5}}, {"alpha", 1e-4}, {"beta", 0.75}, {"k", 2.0}};
  const Attributes other_norm{{"size", std::int64_t{5}}, {"alpha", 1e-4}, {"beta", 0.6}, {"k", 2.0}};
  const Spec cifar{{128, 32, 32, 32}}, alexnet{{64, 96, 55, 55}}, wide{{64, 256, 27, 27}}, rows{{512, 1000}};
  std::vector<Layer> layers = {
      {"max_pool2d/cifar_quick", "max_pool2d", {cifar}, rounded_up},
      {"max_pool2d/alexnet", "max_pool2d", {alexnet}, overlapping},
      {"max_pool2d/vgg", "max_pool2d", {{{16, 64, 112, 112}}}, {{"kernel", two}}},
      {"max_pool2d/lenet", "max_pool2d", {{{256, 20, 24, 24}}}, {{"kernel", two}}},
      {"max_abs_pool2d/cifar_quick", "max_pool2d", {cifar}, with(rounded_up, "abs", true)},
      {"max_abs_pool2d/alexnet", "max_pool2d", {alexnet}, with(overlapping, "abs", true)},
      {"stochastic_pool2d/cifar_quick", "stochastic_pool2d", {cifar}, rounded_up},
      {"stochastic_pool2d/alexnet", "stochastic_pool2d", {alexnet}, overlapping},
      {"avg_pool2d/cifar_quick", "avg_pool2d", {cifar}, rounded_up},
      {"avg_pool2d/global", "avg_pool2d", {{{64, 512, 7, 7}}}, {{"kernel", std::int64_t{7}}}},
      {"local_response_norm/alexnet", "local_response_norm", {alexnet}, alexnet_norm},
      {"local_response_norm/any_power", "local_response_norm", {alexnet}, other_norm},
      {"local_response_norm/blocked", "local_response_norm", {alexnet}, {{"blocked", true}, {"k", 2.0}}},
      {"spatial_norm/layers_18pct", "spatial_norm", {{{128, 32, 16, 16}}}, {{"size", three}}},
      {"spatial_norm/contrast", "spatial_norm", {{{128, 32, 16, 16}}}, {{"size", three}, {"contrast", true}}},
      {"group_norm/resnet", "group_norm", {{{32, 64, 56, 56}}, {{64}}, {{64}}}, {{"groups", std::int64_t{32}}}},
      {"layer_norm/rows", "layer_norm", {{{8192, 768}}, {{768}}, {{768}}}, {{"shape", std::vector<std::int64_t>{768}}}},
      {"softmax", "softmax", {rows}},
      {"add", "add", {alexnet, alexnet}},
      {"concat", "concat", {wide, wide}},
      {"dropout", "dropout", {alexnet}},
      {"flatten", "flatten", {{{256, 256, 6, 6}}}},
      {"activation/prelu", "prelu", {alexnet, {{96}}}},
      {"activation/noisy_relu", "noisy_relu", {alexnet}},
  };
  for (const std::string_view name : activation_names())
    layers.push_back({"activation/" + std::string(name), "activation", {alexnet}, {{"function", std::string(name)}}});
  return layers;
}

Tensor random_tensor(const Spec& spec) {
  Tensor tensor(spec);
  std::mt19937 generator(1);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::generate_n(static_cast<float*>(tensor.data()), spec.shape.numel(), [&] { return uniform(generator); });
  return tensor;
}

// All that forward and backward of one op touch.
class Runner {
 public:
  explicit Runner(const Layer& layer)
      : specs_(layer.x),
        op_(make_op(layer.kind, layer.attributes)),
        needs_(op_->backward_needs(specs_)),
        inference_(cpu_backend()->make(op_, Pass::inference, specs_)),
        forward_(cpu_backend()->make(op_, Pass::forward, specs_)),
        backward_(cpu_backend()->make(op_, Pass::backward, specs_)),
        y_(random_tensor(op_->infer(specs_)[0])),
        dy_(random_tensor(y_.spec())),
        outputs_{y_.view()},
        output_gradients_{dy_.view()},
        saved_(allocate(needs_.saved_bytes)) {
    for (const Spec& spec : specs_) {
      x_.push_back(random_tensor(spec));
      dx_.push_back(random_tensor(spec));
      inputs_.push_back(x_.back().view());
      gradients_.push_back(dx_.back().view());
    }
    for (const auto& kernel : {inference_, forward_, backward_}) {
      const ScratchSize size = kernel->memory().scratch;
      shared_ = std::max(shared_, size.shared);
      stride_ = std::max(stride_, align_up(size.per_thread));
    }
    scratch_ = allocate(align_up(shared_) + stride_ * static_cast<std::size_t>(num_threads().threads));
  }

  void forward(bool training) const {
    const RunContext run{.training = training, .random = {}};
    Stream stream;
    (training ? forward_ : inference_)
        ->run({.x = inputs_,
               .y = outputs_,
               .saved = training && needs_.saved_bytes > 0 ? saved_.get() : nullptr,
               .scratch = scratch(),
               .run = &run},
              stream);
  }
  void backward() const {
    const RunContext run{.training = true, .random = {}};
    Stream stream;
    backward_->run({.x = inputs_,
                    .y = outputs_,
                    .saved = saved_.get(),
                    .dy = output_gradients_,
                    .dx = gradients_,
                    .scratch = scratch(),
                    .run = &run},
                   stream);
  }

  std::size_t forward_bytes(bool training) const {
    return input_bytes() + y_.spec().bytes() + (training ? needs_.saved_bytes : 0);
  }
  std::size_t backward_bytes() const {
    std::size_t bytes = input_bytes() + y_.spec().bytes() * (needs_.y ? 2 : 1) + needs_.saved_bytes;
    for (std::size_t i = 0; i < specs_.size(); ++i) bytes += needs_.x >> i & 1u ? specs_[i].bytes() : 0;
    return bytes;
  }

 private:
  std::size_t input_bytes() const {
    std::size_t bytes = 0;
    for (const Spec& spec : specs_) bytes += spec.bytes();
    return bytes;
  }
  Scratch scratch() const { return {scratch_.get(), scratch_.get() + align_up(shared_), stride_}; }

  std::vector<Spec> specs_;
  OpPtr op_;
  Needs needs_;
  std::shared_ptr<const Kernel> inference_, forward_, backward_;
  Tensor y_, dy_;
  std::vector<View> outputs_, output_gradients_;
  std::vector<Tensor> x_, dx_;
  std::vector<ConstView> inputs_;
  std::vector<View> gradients_;
  Buffer saved_, scratch_;
  std::size_t shared_ = 0, stride_ = 0;
};

void set_rate(benchmark::State& state, std::size_t bytes) {
  state.counters["B/s"] =
      benchmark::Counter(static_cast<double>(bytes), benchmark::Counter::kIsIterationInvariantRate);
}

void forward(benchmark::State& state, const Layer& layer, bool training) {
  const Runner runner(layer);
  runner.forward(training);
  for (auto _ : state) runner.forward(training);
  set_rate(state, runner.forward_bytes(training));
}

void backward(benchmark::State& state, const Layer& layer) {
  const Runner runner(layer);
  runner.forward(true);
  for (auto _ : state) runner.backward();
  set_rate(state, runner.backward_bytes());
}

void add(const Layer& layer) {
  const bool saves = make_op(layer.kind, layer.attributes)->backward_needs(layer.x).saved_bytes > 0;
  const auto finish = [](auto* bench) { bench->UseRealTime()->Unit(benchmark::kMicrosecond); };
  finish(benchmark::RegisterBenchmark((layer.name + "/forward").c_str(), &forward, layer, true));
  if (saves) finish(benchmark::RegisterBenchmark((layer.name + "/inference").c_str(), &forward, layer, false));
  finish(benchmark::RegisterBenchmark((layer.name + "/backward").c_str(), &backward, layer));
}

}  // namespace
}  // namespace fastcnn::benchmarks

int main(int argc, char** argv) {
  for (const auto& layer : fastcnn::benchmarks::layers()) fastcnn::benchmarks::add(layer);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
