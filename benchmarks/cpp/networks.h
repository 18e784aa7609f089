// The networks of the benchmarks, built in C++: as fastcnn.models has them, with a loss on top in
// training. Random weights, random images, labels 0, 1, 2, ...
#pragma once

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/cpu/backend.h"
#include "core/random.h"
#include "graph/executor.h"
#include "graph/train_step.h"
#include "ops/registry.h"
#include "optim/sgd.h"

namespace fastcnn::benchmarks {


// Adds layer after layer behind the last one.
class NetworkBuilder {
 public:
  explicit NetworkBuilder(Shape image) : value_(graph_.input({image, DType::float32}, "x")) {}

  NetworkBuilder& conv(const std::string& name, std::int64_t c_out, std::int64_t kernel, Attributes attributes = {}) {
    const auto groups = attributes.find("groups");
    const std::int64_t group_count = groups == attributes.end() ? 1 : std::get<std::int64_t>(groups->second);
    const std::int64_t c_in = shape()[1] / group_count;
    return add("conv2d", name, std::move(attributes),
               {value_, weight(name, {c_out, c_in, kernel, kernel}, c_in * kernel * kernel), bias(name, c_out)});
  }
  NetworkBuilder& linear(const std::string& name, std::int64_t out) {
    const std::int64_t in = shape()[1];
    return add("linear", name, {}, {value_, weight(name, {out, in}, in), bias(name, out)});
  }
  NetworkBuilder& max_pool(const std::string& name, std::int64_t kernel, std::int64_t stride) {
    return add("max_pool2d", name, {{"kernel", kernel}, {"stride", stride}}, {value_});
  }
  NetworkBuilder& relu(const std::string& name) {
    return add("activation", name, {{"function", std::string("relu")}}, {value_});
  }
  NetworkBuilder& layer(const char* kind, const std::string& name, Attributes attributes = {}) {
    return add(kind, name, std::move(attributes), {value_});
  }

  // The network, with its loss in training.
  Graph finish(Mode mode) {
    if (mode == Mode::inference) {
      graph_.output(value_);
      return std::move(graph_);
    }
    const ValueId labels = graph_.input({{shape()[0]}, DType::int64}, "labels");
    graph_.output(graph_.add(make_op("softmax_cross_entropy", {}), {value_, labels}, "loss"));
    return std::move(graph_);
  }

 private:
  const Shape& shape() const { return graph_.spec(value_).shape; }

  NetworkBuilder& add(const char* kind, const std::string& name, Attributes attributes, std::vector<ValueId> inputs) {
    value_ = graph_.add(make_op(kind, attributes), std::move(inputs), name);
    return *this;
  }
  ValueId weight(const std::string& name, Shape shape, std::int64_t fan_in) {
    const auto p = std::make_shared<Parameter>(Spec{shape, DType::float32});
    const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
    fill_uniform(p->value.view(), 1, graph_.parameters().size(), -bound, bound);
    return graph_.parameter(p, name + ".weight");
  }
  ValueId bias(const std::string& name, std::int64_t c_out) {
    return graph_.parameter(std::make_shared<Parameter>(Spec{{c_out}, DType::float32}), name + ".bias");
  }

  Graph graph_;
  ValueId value_;
};

// Caffe's LeNet: 431,080 parameters.
inline Graph lenet(std::int64_t batch, Mode mode) {
  return NetworkBuilder({batch, 1, 28, 28})
      .conv("conv1", 20, 5)
      .max_pool("pool1", 2, 2)
      .conv("conv2", 50, 5)
      .max_pool("pool2", 2, 2)
      .layer("flatten", "flatten")
      .linear("fc1", 500)
      .relu("relu1")
      .linear("fc2", 10)
      .finish(mode);
}

// Krizhevsky, Sutskever, Hinton (2012), two towers: 60,965,224 parameters.
inline Graph alexnet(std::int64_t batch, Mode mode) {
  const Attributes norm = {{"size", std::int64_t{5}}, {"alpha", 5e-4}, {"beta", 0.75}, {"k", 2.0}};
  const auto pad = [](std::int64_t p, std::int64_t groups) { return Attributes{{"pad", p}, {"groups", groups}}; };
  return NetworkBuilder({batch, 3, 227, 227})
      .conv("conv1", 96, 11, {{"stride", std::int64_t{4}}})
      .relu("relu1")
      .layer("local_response_norm", "norm1", norm)
      .max_pool("pool1", 3, 2)
      .conv("conv2", 256, 5, pad(2, 2))
      .relu("relu2")
      .layer("local_response_norm", "norm2", norm)
      .max_pool("pool2", 3, 2)
      .conv("conv3", 384, 3, pad(1, 1))
      .relu("relu3")
      .conv("conv4", 384, 3, pad(1, 2))
      .relu("relu4")
      .conv("conv5", 256, 3, pad(1, 2))
      .relu("relu5")
      .max_pool("pool5", 3, 2)
      .layer("flatten", "flatten")
      .linear("fc6", 4096)
      .relu("relu6")
      .layer("dropout", "drop6", {{"stream", std::int64_t{0}}})
      .linear("fc7", 4096)
      .relu("relu7")
      .layer("dropout", "drop7", {{"stream", std::int64_t{1}}})
      .linear("fc8", 1000)
      .finish(mode);
}

// A network ready to run, on inputs that are set.
class Runner {
 public:
  Runner(const Graph& graph, Mode mode)
      : executor_(std::make_shared<const Plan>(
            graph, mode, cpu_backend(), mode == Mode::training ? Gradients::applied : Gradients::in_parameters)) {
    fill_normal(executor_.input(0), 1, 1000, 0.0, 1.0);
    if (mode == Mode::training) {
      const View labels = executor_.input(1);
      for (std::int64_t i = 0; i < labels.spec.shape.numel(); ++i) labels.as<std::int64_t>()[i] = i % 10;
    }
    std::vector<ParameterPtr> parameters;
    for (const GraphParameter& p : executor_.plan().graph().parameters())
      if (p.parameter->requires_grad) parameters.push_back(p.parameter);
    optimizer_ = std::make_unique<Sgd>(ParameterGroups{parameters}, cpu_backend());
    optimizer_->configure(0, {.lr = 1e-3, .momentum = 0.9, .weight_decay = 5e-4});
  }

  Executor& executor() { return executor_; }
  void infer() { executor_.forward({}); }
  void train() { train_step(executor_, *optimizer_, {.seed = 1, .step = step_++}); }

 private:
  Executor executor_;
  std::unique_ptr<Sgd> optimizer_;
  std::uint64_t step_ = 0;
};

}  // namespace fastcnn::benchmarks
