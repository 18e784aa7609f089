#include "graph/backend.h"

#include <gtest/gtest.h>

#include "backend/cpu/conv2d/algorithm.h"
#include "backend/cpu/gemm.h"
#include "graph_testing.h"
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

}  // namespace
}  // namespace fastcnn::testing
