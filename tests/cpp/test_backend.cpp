#include "graph/backend.h"

#include <gtest/gtest.h>

#include "backend/cpu/conv2d/algorithm.h"
#include "backend/cpu/gemm.h"
#include "graph_testing.h"
#include "message_of.h"
#include "ops/conv2d.h"

namespace fastcnn::testing {
namespace {

TEST(Backend, an_op_that_it_has_no_kernel_for_is_named_when_the_plan_is_made) {
  Graph graph;
  const ValueId x = graph.input({{2, 8, 3, 3}}, "x");
  graph.output(graph.add(make_op("pixel_shuffle", {{"factor", std::int64_t{2}}}), {x}, "up"), false);
  const auto plan = [&](const BackendPtr& backend) { return Plan(graph, Mode::inference, backend); };
  for (const char* part : {"up (", "the reference backend has no kernel for", "float32"})
    expect_throws<UnsupportedError>([&] { plan(reference_backend()); }, part);
  EXPECT_NO_THROW(plan(cpu_backend()));
}

// y = x of a kind that no backend has heard of.
class UnheardOfOp final : public Op {
 public:
  std::string_view kind() const override { return "unheard_of"; }
  Attributes attributes() const override { return {}; }
  std::string describe(Specs) const override { return "UnheardOf"; }
  std::vector<Spec> infer(Specs x) const override { return {x[0]}; }
  Needs backward_needs(Specs) const override { return {}; }
};

TEST(Backend, the_refusal_names_layer_op_backend_and_the_types_of_all_inputs_that_are_there) {
  for (const auto& [device, name] : {std::pair{cpu_backend(), "cpu"}, {reference_backend(), "reference"}})
    for (const Mode mode : {Mode::inference, Mode::training}) {
      Graph graph;
      const ValueId x = graph.input({{2, 3}}, "x");
      const ValueId ids = graph.input({{2}, DType::int64}, "ids");
      const ValueId y = graph.add_node(std::make_shared<UnheardOfOp>(), {x, no_value, ids}, {"trunk", "tail"})[0];
      graph.output(y, false);
      EXPECT_EQ(message_of([&] { Plan(graph, mode, device); }),
                "trunk + tail (UnheardOf): the " + std::string(name) +
                    " backend has no kernel for float32, int64; x=(2, 3) from input x, (2,) from input ids");
    }
}

TEST(Backend, an_element_type_that_it_has_no_kernels_for_is_named_when_the_plan_is_made) {
  for (const DType dtype : {DType::bfloat16, DType::float16})
    for (const char* function : {"relu", "tanh"}) {
      Graph graph;
      const ValueId x = graph.input({{2, 3}, dtype}, "x");
      graph.output(graph.add(activation_op(function), {x}, "act"), false);
      const auto plan = [&] { Plan(graph, Mode::inference, cpu_backend()); };
      const std::string refusal = std::string("the cpu backend has no kernel for ") + name_of(dtype);
      for (const std::string& part : {std::string("act ("), refusal})
        expect_throws<UnsupportedError>(plan, part);
    }
  Graph graph;
  const ValueId x = graph.input({{2, 3, 8, 8}, DType::bfloat16}, "x");
  const ValueId w = graph.input({{4, 3, 3, 3}, DType::bfloat16}, "w");
  graph.output(graph.add(make_op("conv2d", {}), {x, w, no_value}, "conv"), false);
  const auto plan = [&] { Plan(graph, Mode::inference, cpu_backend()); };
  for (const char* part : {"conv (Conv2d 3", "the cpu backend has no kernel for bfloat16, bfloat16"})
    expect_throws<UnsupportedError>(plan, part);
}

TEST(Backend, the_cpu_makes_no_kernel_of_any_pass_for_what_it_does_not_know) {
  const std::vector<Spec> known{{{2, 3}}}, unknown{{{2, 3}, DType::bfloat16}};
  for (const Pass pass : {Pass::inference, Pass::forward, Pass::recompute, Pass::backward}) {
    EXPECT_EQ(cpu_backend()->make(std::make_shared<UnheardOfOp>(), pass, known), nullptr);
    EXPECT_EQ(cpu_backend()->make(activation_op("relu"), pass, unknown), nullptr);
    EXPECT_NE(cpu_backend()->make(activation_op("relu"), pass, known), nullptr);
  }
}

// Ops with all of their attributes.
std::vector<OpPtr> ops() {
  const auto one = [](const char* kind, const char* name, Attribute value) {
    return make_op(kind, {{name, std::move(value)}});
  };
  return {make_op("conv2d", {}),
          make_op("linear", {}),
          make_op("batch_norm", {}),
          make_op("dropout", {}),
          activation_op("tanh"),
          one("max_pool2d", "kernel", std::int64_t{2}),
          one("avg_pool2d", "kernel", std::int64_t{2}),
          one("split", "sizes", std::vector<std::int64_t>{1, 2}),
          one("pixel_shuffle", "factor", std::int64_t{2}),
          one("pad2d", "padding", std::vector<std::int64_t>{1, 1, 1, 1})};
}

TEST(MakeOp, an_attribute_of_another_type_is_named_with_its_op) {
  for (const OpPtr& op : ops())
    for (const auto& [name, value] : op->attributes()) {
      Attributes wrong = op->attributes();
      if (std::holds_alternative<std::string>(value))
        wrong[name] = true;
      else
        wrong[name] = std::string("seven");
      const std::string message = message_of([&] { make_op(op->kind(), wrong); });
      EXPECT_TRUE(message.starts_with(std::string(op->kind()) + ": attribute " + name + ": expected ")) << message;
      EXPECT_TRUE(message.ends_with(std::holds_alternative<std::string>(value) ? "got true" : "got \"seven\""))
          << message;
      EXPECT_THROW(make_op(op->kind(), wrong), ValueError) << op->kind() << ", " << name;
    }
}

TEST(MakeOp, an_unknown_attribute_is_named_with_its_op_and_the_near_one) {
  for (const OpPtr& op : ops()) {
    Attributes attributes = op->attributes();
    attributes["no_such_thing"] = std::int64_t{1};
    EXPECT_EQ(message_of([&] { make_op(op->kind(), attributes); }),
              std::string(op->kind()) + ": unknown attribute no_such_thing");
  }
  EXPECT_EQ(message_of([] { make_op("pixel_shuffle", {{"factor", std::int64_t{2}}, {"ordre", std::string("crd")}}); }),
            "pixel_shuffle: unknown attribute ordre, did you mean order?");
}

TEST(MakeOp, an_unknown_kind_is_named_with_the_near_one) {
  EXPECT_EQ(message_of([] { make_op("pixel_shufle", {}); }),
            "unknown op \"pixel_shufle\"; did you mean pixel_shuffle?");
  EXPECT_THROW(make_op("", {}), ValueError);
}

struct ChoicesRestored {
  const GemmProvider provider = gemm_provider();
  ~ChoicesRestored() {
    set_gemm_provider(provider);
    set_conv2d_algorithms("auto");
  }
};

// A plan's steps go on with the kernels that they were made with, whatever is chosen afterwards.
TEST(Backend, kernels_made_before_a_choice_stay_right_after_it) {
  const ThreadsRestored threads;
  const ChoicesRestored choices;
  for (const std::int64_t stride : {1, 2}) {
    const OpPtr op = make_op("conv2d", {{"stride", stride}, {"pad", std::int64_t{1}}});
    const Tensor x = random_tensor({{4, 16, 56, 56}}, 1), w = random_tensor({{32, 16, 3, 3}}, 2);
    for (const GemmProvider first : available_gemm_providers()) {
      set_gemm_provider(first);
      set_conv2d_algorithms("auto");
      OpRunner runner(op, {x, w, Tensor()});
      const Tensor y = runner.forward();
      for (const GemmProvider then : available_gemm_providers())
        for (const char* names : {"im2col", "-im2col", "-winograd", "auto"}) {
          set_gemm_provider(then);
          set_conv2d_algorithms(names);
          set_num_threads(3);
          expect_near(runner.forward(), y, 1e-5, names);
        }
    }
  }
}

TEST(Backend, a_snapshot_makes_the_kernels_of_its_moment) {
  const ChoicesRestored choices;
  const OpPtr op = make_op("conv2d", {{"pad", std::int64_t{1}}});
  const std::vector<Spec> x{{{4, 16, 28, 28}}, {{32, 16, 3, 3}}, {}};
  const auto chosen = [&](const BackendPtr& backend) {
    return backend->make(op, Pass::inference, x)->algorithms().front().name;
  };
  set_conv2d_algorithms("im2col");
  const BackendPtr snapshot = cpu_backend();
  EXPECT_EQ(chosen(snapshot), "im2col");
  set_conv2d_algorithms("-im2col");
  EXPECT_EQ(chosen(snapshot), "im2col");
  EXPECT_NE(chosen(cpu_backend()), "im2col");
}

TEST(Backend, is_the_same_object_while_the_policy_is_the_same) {
  const ChoicesRestored choices;
  set_conv2d_algorithms("im2col");
  const BackendPtr first = cpu_backend();
  EXPECT_EQ(cpu_backend(), first);
  set_conv2d_algorithms("im2col");  // as it was
  EXPECT_EQ(cpu_backend(), first);
  set_conv2d_algorithms("auto");
  EXPECT_NE(cpu_backend(), first);
  EXPECT_EQ(&cpu_backend()->arenas(), &first->arenas());
  for (const GemmProvider provider : available_gemm_providers()) {
    set_gemm_provider(provider);
    EXPECT_EQ(cpu_backend(), cpu_backend()) << name_of(provider);
  }
}

// What a snapshot makes after the choices changed has the bytes of what it made before: forward, and backward.
TEST(Backend, a_snapshot_makes_kernels_of_the_same_bytes_after_the_choices_changed) {
  const ThreadsRestored threads;
  const ChoicesRestored choices;
  struct Case {
    OpPtr op;
    std::vector<Tensor> x;
  };
  const std::vector<Case> cases = {
      {make_op("linear", {}), {random_tensor({{33, 130}}, 1), random_tensor({{70, 130}}, 2), random_tensor({{70}}, 3)}},
      {make_op("conv2d", {{"pad", std::int64_t{1}}}),
       {random_tensor({{2, 16, 20, 20}}, 1), random_tensor({{24, 16, 3, 3}}, 2), random_tensor({{24}}, 3)}},
      {make_op("conv2d", {}),
       {random_tensor({{2, 32, 9, 9}}, 1), random_tensor({{40, 32, 1, 1}}, 2), random_tensor({{40}}, 3)}}};
  const RunContext training{.training = true, .random = {}};
  for (const Case& c : cases)
    for (const GemmProvider first : available_gemm_providers())
      for (const char* algorithms : {"auto", "im2col"}) {
        set_gemm_provider(first);
        set_conv2d_algorithms(algorithms);
        const BackendPtr snapshot = cpu_backend();
        const auto run = [&] {
          OpRunner runner(c.op, c.x, training, snapshot);
          std::vector<Tensor> results{runner.forward()};
          for (const Tensor& dx : runner.backward(random_tensor(runner.y_spec(), 9))) results.push_back(dx);
          return results;
        };
        const std::vector<Tensor> before = run();
        for (const GemmProvider then : available_gemm_providers()) {
          set_gemm_provider(then);
          set_conv2d_algorithms("-im2col");
          const std::vector<Tensor> after = run();
          for (std::size_t i = 0; i < before.size(); ++i)
            expect_same_bytes(after[i], before[i], std::string(c.op->kind()) + " " + std::to_string(i));
        }
      }
}

// A training plan keeps the kernels that it was made of: outputs and gradients have the same bytes.
TEST(Backend, a_plan_made_before_a_choice_gives_the_same_bytes_after_it) {
  const ThreadsRestored threads;
  const ChoicesRestored choices;
  for (const GemmProvider first : available_gemm_providers()) {
    set_gemm_provider(first);
    set_conv2d_algorithms("im2col");
    Graph graph;
    const ValueId x = graph.input({{2, 8, 14, 14}}, "x", true);
    const ValueId w = graph.parameter(random_parameter({{16, 8, 3, 3}}, 1), "w");
    const ValueId y = graph.add(make_op("conv2d", {{"pad", std::int64_t{1}}}), {x, w, no_value}, "conv");
    graph.output(graph.add(activation_op("tanh"), {y}, "tanh"));
    Executor executor(std::make_shared<const Plan>(graph, Mode::training, cpu_backend()));
    const auto run = [&] {
      fill(executor.input(0), random_tensor({{2, 8, 14, 14}}, 2));
      executor.forward({});
      executor.fill_output_grads(1);
      executor.backward();
      std::pair results{copy_of(executor.output(0)), copy_of(executor.input_grad(0))};
      executor.release();
      return results;
    };
    const auto [output, gradient] = run();
    for (const GemmProvider then : available_gemm_providers())
      for (const char* names : {"auto", "-im2col", "reference"}) {
        set_gemm_provider(then);
        set_conv2d_algorithms(names);
        set_num_threads(3);
        const auto [output_now, gradient_now] = run();
        expect_same_bytes(output_now, output, names);
        expect_same_bytes(gradient_now, gradient, names);
      }
  }
}

}  // namespace
}  // namespace fastcnn::testing
