// The executor reaches the memory of a device through its backend and kernels alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "graph_testing.h"

namespace fastcnn::testing {
namespace {

// Another backend, whose memory makes no sense to the host, as that of a device: its bytes are inverted but while the
// backend or one of its kernels works, or the test looks. Who else reads or writes them spoils the results.
class SealedBackend final : public WrappedBackend {
 public:
  SealedBackend() : WrappedBackend(backend()) {}

  // Makes sense of the memory as long as it lives.
  class Opened {
   public:
    explicit Opened(const SealedBackend& device) : device_(device) {
      if (device_.open_++ == 0) device_.invert();
    }
    ~Opened() {
      if (--device_.open_ == 0) device_.invert();
    }
    Opened(const Opened&) = delete;

   private:
    const SealedBackend& device_;
  };

  int calls(const std::string& of) const { return calls_[of]; }

  std::unique_ptr<Kernel> make(const OpPtr& op, Pass pass, Specs x) const override {
    return std::make_unique<OpeningKernel>(WrappedBackend::make(op, pass, x), *this);
  }
  Buffer allocate(std::size_t bytes) const override {
    const Opened opened(*this);
    Buffer memory = WrappedBackend::allocate(bytes);
    blocks_.push_back({memory, bytes});
    return memory;
  }
  ArenaPool& arenas() const override { return arenas_; }
  void copy(void* to, const void* from, std::size_t bytes, Stream& stream) const override {
    const Opened opened(*this);
    ++calls_["copy"];
    WrappedBackend::copy(to, from, bytes, stream);
  }
  void fill(View y, double value, Stream& stream) const override {
    const Opened opened(*this);
    ++calls_["fill"];
    WrappedBackend::fill(y, value, stream);
  }
  void accumulate(ConstView x, View y, Stream& stream) const override {
    const Opened opened(*this);
    ++calls_["accumulate"];
    WrappedBackend::accumulate(x, y, stream);
  }
  bool is_finite(ConstView x, Stream& stream) const override {
    const Opened opened(*this);
    return WrappedBackend::is_finite(x, stream);
  }

 private:
  class OpeningKernel final : public Kernel {
   public:
    OpeningKernel(std::unique_ptr<Kernel> other, const SealedBackend& device)
        : other_(std::move(other)), device_(device) {}
    Memory memory() const override { return other_->memory(); }
    bool in_place() const override { return other_->in_place(); }
    bool reads_statistics() const override { return other_->reads_statistics(); }
    int gives_pieces() const override { return other_->gives_pieces(); }
    std::vector<AlgorithmChoice> algorithms() const override { return other_->algorithms(); }
    void prepare(std::span<const ConstView> x, std::byte* prepared, Stream& stream) const override {
      const Opened opened(device_);
      ++device_.calls_["prepare"];
      other_->prepare(x, prepared, stream);
    }
    std::string prepared_form() const override { return other_->prepared_form(); }
    void run(const StepArgs& args, Stream& stream) const override {
      const Opened opened(device_);
      ++device_.calls_["run"];
      other_->run(args, stream);
    }

   private:
    std::unique_ptr<Kernel> other_;
    const SealedBackend& device_;
  };

  struct Block {
    std::weak_ptr<std::byte> memory;
    std::size_t bytes;
  };

  void invert() const {
    for (const Block& block : blocks_)
      if (const Buffer memory = block.memory.lock())
        std::transform(memory.get(), memory.get() + block.bytes, memory.get(), [](std::byte b) { return ~b; });
  }

  mutable int open_ = 0;
  mutable std::vector<Block> blocks_;
  mutable std::map<std::string, int> calls_;
  mutable ArenaPool arenas_{[this](std::size_t bytes) { return allocate(bytes); }};
};

using Opened = SealedBackend::Opened;

int count(const std::vector<Step>& steps, Step::Kind kind) {
  return static_cast<int>(std::ranges::count(steps, kind, &Step::kind));
}

// Of every kind of step: a value with two readers, parameters that are seeded outputs or that nothing depends on.
TEST(SealedBackend, is_the_only_one_to_touch_its_memory_in_training) {
  const Spec square4{{4, 4}, DType::float64};
  Graph graph;
  const ValueId x = graph.input(square4, "x", true);
  const ValueId w = graph.parameter(random_parameter(square4, 1), "w");
  const ValueId fc = graph.add(make_op("linear", {}), {x, w, no_value}, "fc");
  const ValueId sine = graph.add(std::make_shared<SineOp>(), {fc}, "sine");
  graph.output(graph.add(std::make_shared<ProductOp>(), {sine, fc}, "product"));
  graph.output(graph.parameter(random_parameter(square4, 2), "seeded"));
  graph.parameter(random_parameter(square4, 3), "unused");
  graph.input(square4, "unread", true);
  const Tensor value = random_tensor(square4, 4), dy = random_tensor(square4, 5);

  const auto run = [&](Executor& executor, auto&& opened) {
    for (const GraphParameter& p : graph.parameters()) p.parameter->has_grad = false;
    for (int repeat = 0; repeat < 2; ++repeat) {  // the second adds to the gradients of the first
      opened([&] { fill(executor.input(0), value); });
      executor.forward({});
      EXPECT_TRUE(executor.is_loss_finite());
      executor.fill_output_grads(0.5);
      opened([&] { fill(executor.output_grad(0), dy); });
      executor.backward();
    }
    std::vector<Tensor> results;
    opened([&] {
      results = {copy_of(executor.output(0)), copy_of(executor.input_grad(0)), copy_of(executor.input_grad(1))};
    });
    for (const GraphParameter& p : graph.parameters()) results.push_back(copy_of(p.parameter->grad.view()));
    return results;
  };
  Executor plain(std::make_shared<const Plan>(graph, Mode::training, backend()));
  const std::vector<Tensor> expected = run(plain, [](auto&& body) { body(); });
  const auto device = std::make_shared<SealedBackend>();
  Executor sealed(std::make_shared<const Plan>(graph, Mode::training, device));
  const std::vector<Tensor> results = run(sealed, [&](auto&& body) {
    const Opened opened(*device);
    body();
  });
  for (std::size_t i = 0; i < expected.size(); ++i) expect_same_bytes(results[i], expected[i], std::to_string(i));

  const Plan& plan = sealed.plan();
  const std::vector<Step>& steps = plan.backward_steps();
  for (const Step::Kind kind : {Step::Kind::accumulate, Step::Kind::copy, Step::Kind::zero})
    EXPECT_GT(count(steps, kind), 0);
  const int kernels = count(plan.forward_steps(), Step::Kind::forward) + count(steps, Step::Kind::backward);
  const int seeds = 2, held = 3;  // parameters, in the second pass
  EXPECT_EQ(device->calls("run"), 2 * kernels);
  EXPECT_EQ(device->calls("copy"), 2 * count(steps, Step::Kind::copy));
  EXPECT_EQ(device->calls("fill"), 2 * (count(steps, Step::Kind::zero) + seeds));
  EXPECT_EQ(device->calls("accumulate"), 2 * count(steps, Step::Kind::accumulate) + held);
}

TEST(SealedBackend, is_the_only_one_to_touch_its_memory_at_inference) {
  Graph graph;
  const ValueId x = graph.input({{2, 16, 12, 12}}, "x");
  const ValueId w = graph.parameter(random_parameter({{32, 16, 3, 3}}, 1), "w");
  const ValueId conv = graph.add(make_op("conv2d", {{"pad", std::int64_t{1}}}), {x, w, no_value}, "conv");
  graph.output(graph.add(activation_op("relu"), {conv}, "relu"), false);
  const Tensor value = random_tensor(graph.spec(x), 4);
  Tensor expected;
  {
    Executor plain(std::make_shared<const Plan>(graph, Mode::inference, backend()));
    fill(plain.input(0), value);
    plain.forward({});
    expected = copy_of(plain.output(0));
  }
  const auto device = std::make_shared<SealedBackend>();
  Executor sealed(std::make_shared<const Plan>(graph, Mode::inference, device));
  for (int repeat = 0; repeat < 2; ++repeat) {
    {
      const Opened opened(*device);
      fill(sealed.input(0), value);
    }
    sealed.forward({});
    const Opened opened(*device);
    expect_same_bytes(copy_of(sealed.output(0)), expected, "y");
  }
  EXPECT_EQ(device->calls("prepare"), sealed.plan().prepared_bytes() > 0 ? 1 : 0);
}

}  // namespace
}  // namespace fastcnn::testing
