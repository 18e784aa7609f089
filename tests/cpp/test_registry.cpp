#include "ops/registry.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "backend/cpu/registry.h"
#include "message_of.h"

namespace fastcnn::testing {
namespace {

TEST(Registry, lists_its_kinds_in_order_and_once) {
  const auto kinds = op_kinds();
  EXPECT_TRUE(std::ranges::is_sorted(kinds));
  EXPECT_EQ(std::ranges::adjacent_find(kinds), kinds.end());
}

// Of a kind: those that it can't do without.
Attributes required_attributes(std::string_view kind) {
  Attributes attributes;
  if (kind.ends_with("pool2d")) attributes["kernel"] = std::int64_t{2};
  if (kind == "pool_channels") attributes["size"] = std::int64_t{2};
  if (kind == "layer_norm") attributes["shape"] = std::vector<std::int64_t>{2};
  if (kind == "color_transform") attributes["to"] = std::string("yuv");
  if (kind == "pad2d") attributes["padding"] = std::vector<std::int64_t>{1, 1, 1, 1};
  if (kind == "resize2d") attributes["output"] = std::vector<std::int64_t>{2, 2};
  if (kind == "slice") attributes["stop"] = std::int64_t{1};
  if (kind == "split") attributes["sizes"] = std::vector<std::int64_t>{2, 1};
  if (kind == "pixel_shuffle") attributes["factor"] = std::int64_t{2};
  return attributes;
}

TEST(Registry, makes_every_kind_under_its_name) {
  for (const std::string_view kind : op_kinds()) EXPECT_EQ(make_op(kind, required_attributes(kind))->kind(), kind);
}

TEST(Registry, makes_an_equal_op_of_the_attributes_of_one) {
  for (const std::string_view kind : op_kinds()) {
    const OpPtr op = make_op(kind, required_attributes(kind));
    const OpPtr again = make_op(kind, op->attributes());
    EXPECT_EQ(again->attributes(), op->attributes()) << kind;
    EXPECT_EQ(again->describe({}), op->describe({})) << kind;
  }
}

TEST(Registry, makes_fused_ops_of_their_attributes) {
  const std::vector<Spec> images{{{1, 2, 3, 3}}, {{4, 2, 3, 3}}, {{4}}}, rows{{{2, 8}}, {{3, 8}}, {{3}}};
  for (const auto& [kind, x] : {std::pair{"conv2d", images}, {"linear", rows}}) {
    OpPtr op = make_op(kind, {})->fused_with(ChannelNorm{1e-3}, x);
    std::vector<Spec> with_norm = x;
    with_norm.resize(7);
    op = op->fused_with(ResidualAdd{}, with_norm);
    op = op->fused_with(Activation{.kind = Activation::Kind::tanh, .a = 1.7, .b = 0.6}, with_norm);
    const OpPtr again = make_op(kind, op->attributes());
    EXPECT_EQ(again->attributes(), op->attributes());
    EXPECT_EQ(again->describe({}), op->describe({}));
  }
}

TEST(Registry, has_a_kernel_of_the_cpu_for_every_kind) {
  for (const std::string_view kind : op_kinds()) EXPECT_NE(find_kernel_maker(kind), nullptr) << kind;
  EXPECT_EQ(find_kernel_maker("magic"), nullptr);
}

TEST(Registry, unknown_kind_names_the_near_ones) {
  EXPECT_EQ(message_of([] { make_op("liner", {}); }), "unknown op \"liner\"; did you mean linear?");
  EXPECT_EQ(message_of([] { make_op("cross_entropy", {}); }),
            "unknown op \"cross_entropy\"; did you mean binary_cross_entropy or softmax_cross_entropy?");
  EXPECT_TRUE(message_of([] { make_op("zzzzzzzzz", {}); }).starts_with("unknown op \"zzzzzzzzz\"; the kinds are "));
}

TEST(Registry, attributes_that_nobody_reads_are_refused) {
  EXPECT_NE(message_of([] { make_op("flatten", {{"strat_dim", std::int64_t{1}}}); }).find("strat_dim"),
            std::string::npos);
}

}  // namespace
}  // namespace fastcnn::testing
