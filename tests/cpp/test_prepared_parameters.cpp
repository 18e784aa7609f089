#include "graph/prepared_parameters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "graph_testing.h"

namespace fastcnn::testing {
namespace {

// A device of its own, which counts the bytes that it allocated itself: of what is prepared, as arenas come from its pool.
class CountingBackend final : public WrappedBackend {
 public:
  CountingBackend() : WrappedBackend(backend()) {}
  std::size_t alive_bytes() const { return *alive_; }

  Buffer allocate(std::size_t bytes) const override {
    *alive_ += bytes;
    Buffer memory = WrappedBackend::allocate(bytes);
    std::byte* const data = memory.get();
    return Buffer(data, [memory = std::move(memory), alive = alive_, bytes](std::byte*) { *alive -= bytes; });
  }
  ArenaPool& arenas() const override { return *pool_; }

 private:
  std::shared_ptr<std::atomic<std::size_t>> alive_ = std::make_shared<std::atomic<std::size_t>>(0);
  std::unique_ptr<ArenaPool> pool_ =
      std::make_unique<ArenaPool>([this](std::size_t bytes) { return WrappedBackend::allocate(bytes); });
};

// y = factor * x * w, of which factor * w is prepared; its form is its kind, of which the factor is a part.
class ScaledOp final : public TestOp {
 public:
  explicit ScaledOp(int factor) : factor_(factor), kind_("scaled by " + std::to_string(factor)) {}

  std::string_view kind() const override { return kind_; }
  std::string describe(Specs) const override { return "Scaled"; }
  std::vector<Spec> infer(Specs x) const override { return {x[0]}; }
  Needs backward_needs(Specs) const override { return {.x = 3}; }
  Memory memory(Specs x, Pass pass) const override {
    if (pass != Pass::inference) return {};
    return {.prepared = x[1].bytes(), .prepared_from = 0b10};
  }
  void prepare(std::span<const ConstView> x, std::byte* prepared) const override {
    for (std::int64_t i = 0; i < x[1].spec.shape.numel(); ++i)
      reinterpret_cast<double*>(prepared)[i] = factor_ * x[1].as<double>()[i];
    ++preparations;
  }
  void forward(const StepArgs& args) const override {
    const std::int64_t columns = args.x[1].spec.shape.numel();
    const auto* w = reinterpret_cast<const double*>(args.prepared);
    for (std::int64_t i = 0; i < args.y[0].spec.shape.numel(); ++i)
      args.y[0].as<double>()[i] = args.x[0].as<double>()[i] * w[i % columns];
    read = args.prepared;
  }
  void backward(const StepArgs&) const override {}

  mutable int preparations = 0;
  mutable const std::byte* read = nullptr;  // by the last run

 private:
  int factor_;
  std::string kind_;
};

constexpr std::int64_t width = 3;
constexpr std::size_t copy_bytes = width * sizeof(double);

struct Fixture : ::testing::Test {
  std::shared_ptr<CountingBackend> device = std::make_shared<CountingBackend>();
  ParameterPtr w = parameter(2);

  static ParameterPtr parameter(double value) {
    auto made = std::make_shared<Parameter>(Spec{{width}, DType::float64});
    set(*made, value);
    return made;
  }
  static void set(Parameter& p, double value) { std::fill_n(static_cast<double*>(p.value.data()), width, value); }
  void change(double value) {
    set(*w, value);
    ++w->version;
  }
};

// A plan of one layer for so many rows, and what it reads.
struct User {
  User(const Fixture& fixture, std::int64_t rows, const ParameterPtr& w, int factor = 100)
      : op(std::make_shared<ScaledOp>(factor)) {
    Graph graph;
    const ValueId x = graph.input({{rows, width}, DType::float64}, "x");
    graph.output(graph.add(op, {x, graph.parameter(w, "w")}, "layer"), false);
    plan = std::make_shared<const Plan>(graph, Mode::inference, fixture.device);
    executor = std::make_unique<Executor>(plan);
  }
  User(const Fixture& fixture, std::int64_t rows, int factor = 100) : User(fixture, rows, fixture.w, factor) {}

  // What every x of 3 becomes.
  double run() {
    const View x = executor->input(0);
    std::fill_n(x.as<double>(), x.spec.shape.numel(), 3.0);
    executor->forward({});
    const Tensor y = copy_of(executor->output(0));
    for (std::int64_t i = 1; i < y.spec().shape.numel(); ++i) EXPECT_EQ(element(y, i), element(y, 0));
    return element(y, 0);
  }
  const std::byte* read() const { return op->read; }

  std::shared_ptr<ScaledOp> op;
  std::shared_ptr<const Plan> plan;
  std::unique_ptr<Executor> executor;
};

using PreparedParametersOfPlans = Fixture;

TEST_F(PreparedParametersOfPlans, of_several_shapes_are_one_copy) {
  User one(*this, 1), four(*this, 4), nine(*this, 9);
  EXPECT_EQ(device->alive_bytes(), 0u);  // until a run
  for (User* user : {&one, &four, &nine, &one}) EXPECT_EQ(user->run(), 600);
  EXPECT_EQ(four.read(), one.read());
  EXPECT_EQ(nine.read(), one.read());
  EXPECT_EQ(device->alive_bytes(), copy_bytes);
  EXPECT_EQ(one.op->preparations + four.op->preparations + nine.op->preparations, 1);
}

TEST_F(PreparedParametersOfPlans, of_two_executors_of_one_plan_are_one_copy) {
  User user(*this, 2);
  EXPECT_EQ(user.run(), 600);
  const std::byte* const first = user.read();
  Executor other(user.plan);
  const View x = other.input(0);
  std::fill_n(x.as<double>(), x.spec.shape.numel(), 3.0);
  other.forward({});
  EXPECT_EQ(*other.output(0).as<double>(), 600);
  EXPECT_EQ(user.read(), first);
  EXPECT_EQ(user.op->preparations, 1);
  EXPECT_EQ(device->alive_bytes(), copy_bytes);
}

TEST_F(PreparedParametersOfPlans, are_made_anew_once_for_all_after_a_change) {
  User a(*this, 1), b(*this, 4);
  a.run();
  b.run();
  for (const double value : {4.0, 5.0, 6.0}) {
    change(value);
    EXPECT_EQ(b.run(), 300 * value);
    EXPECT_EQ(device->alive_bytes(), 2 * copy_bytes);  // a has its own, which it hasn't read since
    EXPECT_EQ(a.run(), 300 * value);
    EXPECT_EQ(a.read(), b.read());
    EXPECT_EQ(device->alive_bytes(), copy_bytes);
  }
  EXPECT_EQ(a.op->preparations + b.op->preparations, 4);
}

TEST_F(PreparedParametersOfPlans, are_made_anew_where_they_were_when_nobody_shares_them) {
  User user(*this, 2);
  user.run();
  const std::byte* const memory = user.read();
  change(4);
  EXPECT_EQ(user.run(), 1200);
  EXPECT_EQ(user.run(), 1200);
  EXPECT_EQ(user.read(), memory);
  EXPECT_EQ(user.op->preparations, 2);
  EXPECT_EQ(device->alive_bytes(), copy_bytes);
}

TEST_F(PreparedParametersOfPlans, stay_while_nothing_changes_but_the_value_unannounced) {
  User user(*this, 2);
  user.run();
  set(*w, 4);  // without a version
  EXPECT_EQ(user.run(), 600);
  ++w->version;
  EXPECT_EQ(user.run(), 1200);
}

TEST_F(PreparedParametersOfPlans, of_another_form_are_another_copy) {
  User hundred(*this, 1, 100), seven(*this, 1, 7), again(*this, 4, 7);
  EXPECT_EQ(hundred.run(), 600);
  EXPECT_EQ(seven.run(), 42);
  EXPECT_EQ(again.run(), 42);
  EXPECT_EQ(hundred.run(), 600);
  EXPECT_NE(seven.read(), hundred.read());
  EXPECT_EQ(seven.read(), again.read());
  EXPECT_EQ(device->alive_bytes(), 2 * copy_bytes);
}

TEST_F(PreparedParametersOfPlans, of_another_parameter_are_another_copy) {
  const ParameterPtr other = parameter(5);
  User first(*this, 1), second(*this, 1, other);
  EXPECT_EQ(first.run(), 600);
  EXPECT_EQ(second.run(), 1500);
  EXPECT_EQ(device->alive_bytes(), 2 * copy_bytes);
  change(4);
  EXPECT_EQ(first.run(), 1200);
  EXPECT_EQ(second.run(), 1500);
  EXPECT_EQ(second.op->preparations, 1);
}

TEST_F(PreparedParametersOfPlans, on_another_device_are_another_copy) {
  User here(*this, 2);
  const auto first = std::exchange(device, std::make_shared<CountingBackend>());
  User there(*this, 2);
  EXPECT_EQ(here.run(), 600);
  EXPECT_EQ(there.run(), 600);
  EXPECT_NE(here.read(), there.read());
  EXPECT_EQ(first->alive_bytes(), copy_bytes);
  EXPECT_EQ(device->alive_bytes(), copy_bytes);
}

TEST_F(PreparedParametersOfPlans, are_freed_with_their_last_user) {
  auto a = std::make_unique<User>(*this, 1), b = std::make_unique<User>(*this, 4);
  a->run();
  b->run();
  a.reset();
  EXPECT_EQ(device->alive_bytes(), copy_bytes);
  EXPECT_EQ(b->run(), 600);
  EXPECT_EQ(b->op->preparations, 0);
  b.reset();
  EXPECT_EQ(device->alive_bytes(), 0u);
  User next(*this, 1);
  EXPECT_EQ(next.run(), 600);
  EXPECT_EQ(next.op->preparations, 1);
}

TEST_F(PreparedParametersOfPlans, outlive_the_release_of_working_memory) {
  User user(*this, 2);
  user.run();
  user.executor->release();
  EXPECT_EQ(device->alive_bytes(), copy_bytes);
  EXPECT_EQ(user.run(), 600);
  EXPECT_EQ(user.op->preparations, 1);
}

TEST_F(PreparedParametersOfPlans, are_right_for_every_user_while_and_after_someone_may_write_the_parameter) {
  User a(*this, 1), b(*this, 4);
  a.run();
  b.run();
  ++w->writers;
  set(*w, 4);  // unseen
  EXPECT_EQ(a.run(), 1200);
  set(*w, 5);
  EXPECT_EQ(b.run(), 1500);
  set(*w, 6);
  EXPECT_EQ(a.run(), 1800);
  EXPECT_EQ(b.run(), 1800);
  set(*w, 7);
  ++w->version;  // as the bindings leave a view
  --w->writers;
  EXPECT_EQ(a.run(), 2100);
  EXPECT_EQ(b.run(), 2100);
  EXPECT_EQ(a.read(), b.read());
  EXPECT_EQ(device->alive_bytes(), copy_bytes);
}

TEST_F(PreparedParametersOfPlans, of_a_new_parameter_are_not_those_of_one_that_went) {
  for (const double value : {2.0, 3.0, 4.0, 5.0}) {  // likely at the same address
    w.reset();
    w = parameter(value);
    EXPECT_EQ(User(*this, 1).run(), 300 * value);
  }
  EXPECT_EQ(device->alive_bytes(), 0u);
}

TEST_F(PreparedParametersOfPlans, are_one_copy_for_users_on_several_threads) {
  std::vector<std::unique_ptr<User>> users;
  for (int i = 0; i < 4; ++i) users.push_back(std::make_unique<User>(*this, 1 + i));
  users[0]->run();
  std::vector<double> results(users.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < users.size(); ++i)
      threads.emplace_back([&, i] {
        for (int repeat = 0; repeat < 50; ++repeat) results[i] = users[i]->run();
      });
  }
  EXPECT_EQ(results, std::vector<double>(users.size(), 600.0));
  for (const auto& user : users) EXPECT_EQ(user->read(), users[0]->read());
  EXPECT_EQ(device->alive_bytes(), copy_bytes);
}

// conv2d -> batch norm, which moves into the weights.
struct Convolution {
  explicit Convolution(std::int64_t kernel, std::int64_t in = 32, std::int64_t out = 48)
      : in(in), weight(random_parameter({{out, in, kernel, kernel}}, 1)), mean(random_parameter({{out}}, 2)),
        var(random_parameter({{out}}, 3)) {
    for (std::int64_t i = 0; i < out; ++i) static_cast<float*>(var->value.data())[i] = 1.5f;
  }

  Graph graph(const Shape& x) const {
    Graph graph;
    const ValueId input = graph.input({x}, "x");
    const ValueId y = graph.add(make_op("conv2d", {}), {input, graph.parameter(weight, "weight"), no_value}, "conv");
    graph.output(graph.add(make_op("batch_norm", {}),
                           {y, no_value, no_value, graph.parameter(mean, "mean"), graph.parameter(var, "var")}, "norm"),
                 false);
    return graph;
  }

  std::int64_t in;
  ParameterPtr weight, mean, var;
};

std::unique_ptr<Executor> inference(const Graph& graph, const BackendPtr& device) {
  return std::make_unique<Executor>(std::make_shared<const Plan>(graph, Mode::inference, device));
}

Tensor run(Executor& executor) {
  fill(executor.input(0), random_tensor(executor.input(0).spec, 5));
  executor.forward({});
  return copy_of(executor.output(0));
}

// The algorithms may read the weights differently at one shape and at another: what each has alone, it must have in
// company, whoever came first.
void expect_right_at_every_shape(std::int64_t kernel) {
  const Convolution model(kernel);
  std::vector<Graph> graphs;
  for (const std::int64_t images : {1, 2, 8})
    for (const std::int64_t side : {3, 4, 5, 8, 20}) graphs.push_back(model.graph({images, model.in, side, side}));
  std::vector<Tensor> alone;
  for (const Graph& graph : graphs) alone.push_back(run(*inference(graph, backend())));
  for (const bool largest_first : {true, false}) {
    std::vector<std::unique_ptr<Executor>> together(graphs.size());
    for (std::size_t k = 0; k < graphs.size() && !::testing::Test::HasFatalFailure(); ++k) {
      const std::size_t i = largest_first ? graphs.size() - 1 - k : k;
      together[i] = inference(graphs[i], backend());
      expect_near(run(*together[i]), alone[i], 1e-6, "x " + together[i]->input(0).spec.shape.str());
    }
  }
}

TEST(PreparedParameters, of_a_pointwise_convolution_are_right_at_every_shape) { expect_right_at_every_shape(1); }
TEST(PreparedParameters, of_a_3x3_convolution_are_right_at_every_shape) { expect_right_at_every_shape(3); }

TEST(PreparedParameters, of_a_convolution_at_several_image_sizes_are_one_copy) {
  if (is_reference_backend()) GTEST_SKIP() << "which prepares nothing";
  const Convolution model(3);
  const auto device = std::make_shared<CountingBackend>();
  std::vector<std::unique_ptr<Executor>> executors;
  for (const std::int64_t images : {1, 2, 4}) {
    executors.push_back(inference(model.graph({images, model.in, 30, 30}), device));
    run(*executors.back());
  }
  EXPECT_GT(executors[0]->plan().prepared_bytes(), 0u);
  EXPECT_LE(device->alive_bytes(), executors[0]->plan().prepared_bytes());
}

}  // namespace
}  // namespace fastcnn::testing
