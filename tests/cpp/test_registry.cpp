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

using Integers = std::vector<std::int64_t>;
using Reals = std::vector<double>;

// Of each kind that has attributes: values other than those of absent ones.
const std::vector<std::pair<std::string_view, Attributes>> unusual = {
    {"activation", {{"function", "tanh"}, {"a", 1.5}, {"b", 0.5}}},
    {"add", {{"coefficients", Reals{0.5, -2}}, {"activation", "tanh"}, {"a", 1.5}, {"b", 0.5}}},
    {"avg_pool2d",
     {{"kernel", Integers{3, 4}}, {"stride", Integers{2, 5}}, {"pad", Integers{1, 2}}, {"ceil_mode", true},
      {"count_include_pad", false}, {"activation", "relu"}}},
    {"avg_pool2d", {{"kernel", Integers{3, 4}}, {"sum", true}, {"start", Integers{-1, 2}}, {"output", Integers{2, 3}}}},
    {"avg_pool2d", {{"output", Integers{2, 3}}}},
    {"batch_norm",
     {{"eps", 0.25}, {"momentum", 0.75}, {"batch_statistics", false}, {"residual", true}, {"activation", "relu"}}},
    {"binary_cross_entropy", {{"from_logits", false}, {"reduction", "sum"}}},
    {"color_transform", {{"to", "lab"}, {"center", true}}},
    {"concat", {{"axis", std::int64_t{-2}}}},
    {"conv2d",
     {{"stride", Integers{2, 3}}, {"pad", Integers{1, 2}}, {"dilation", Integers{3, 2}}, {"groups", std::int64_t{4}},
      {"algorithm", "im2col"}, {"activation", "tanh"}, {"a", 1.5}, {"norm_eps", 0.25}, {"residual", true}}},
    {"conv_transpose2d",
     {{"stride", Integers{2, 3}}, {"pad", Integers{1, 2}}, {"output_pad", Integers{0, 1}},
      {"dilation", Integers{3, 2}}, {"groups", std::int64_t{4}}, {"algorithm", "im2col"}, {"activation", "relu"}}},
    {"dropout", {{"p", 0.25}, {"stream", std::int64_t{7}}, {"scaling", "inference"}}},
    {"flatten", {{"start_dim", std::int64_t{-2}}}},
    {"gaussian_blur", {{"size", std::int64_t{7}}, {"sigma", 2.5}}},
    {"group_norm", {{"groups", std::int64_t{4}}, {"eps", 0.25}}},
    {"layer_norm", {{"shape", Integers{3, 2}}, {"eps", 0.25}}},
    {"linear", {{"activation", "tanh"}, {"b", 0.5}, {"norm_eps", 0.25}, {"residual", true}}},
    {"local_response_norm",
     {{"size", std::int64_t{3}}, {"alpha", 0.5}, {"beta", 0.25}, {"k", 2.0}, {"blocked", true}}},
    {"locally_connected2d",
     {{"stride", Integers{2, 3}}, {"pad", Integers{1, 2}}, {"dilation", Integers{3, 2}}, {"groups", std::int64_t{4}},
      {"activation", "relu"}}},
    {"max_pool2d", {{"kernel", Integers{3, 4}}, {"abs", true}, {"activation", "relu"}}},
    {"max_pool2d", {{"kernel", Integers{3, 4}}, {"return_indices", true}}},
    {"noisy_relu", {{"stream", std::int64_t{7}}}},
    {"pad2d", {{"padding", Integers{1, 2, 3, 4}}, {"value", 0.5}}},
    {"pad2d", {{"padding", Integers{1, 2, 3, 4}}, {"mode", "reflect"}}},
    {"pixel_shuffle", {{"factor", std::int64_t{3}}, {"order", "dcr"}, {"inverse", true}}},
    {"pool_channels",
     {{"size", std::int64_t{3}}, {"stride", std::int64_t{2}}, {"start", std::int64_t{-1}},
      {"output", std::int64_t{4}}, {"pool", "avg"}}},
    {"reshape", {{"shape", Integers{2, -1, 3}}}},
    {"resize2d",
     {{"output", Integers{2, 3}}, {"mode", "bilinear"}, {"coordinates", "align_corners"}, {"scale", Reals{0.5, 2.5}}}},
    {"slice", {{"start", std::int64_t{2}}, {"stop", std::int64_t{5}}, {"axis", std::int64_t{-1}}}},
    {"softmax", {{"axis", std::int64_t{-1}}}},
    {"softmax_cross_entropy",
     {{"reduction", "sum"}, {"ignore_index", std::int64_t{3}}, {"label_smoothing", 0.25}}},
    {"spatial_norm", {{"size", std::int64_t{3}}, {"alpha", 0.5}, {"beta", 0.25}, {"k", 2.0}, {"contrast", true}}},
    {"split", {{"sizes", Integers{1, 2, 3}}, {"axis", std::int64_t{-1}}}},
    {"squared_error", {{"reduction", "sum"}}},
    {"stochastic_pool2d", {{"kernel", Integers{3, 4}}, {"sample", false}, {"stream", std::int64_t{7}}}},
    {"untied_bias", {{"activation", "tanh"}, {"a", 1.5}, {"b", 0.5}}},
};

TEST(Registry, ops_tell_the_attributes_they_were_made_of) {
  for (const auto& [kind, attributes] : unusual) {
    const OpPtr op = make_op(kind, attributes);
    const Attributes told = op->attributes();
    for (const auto& [name, value] : attributes) {
      const auto found = told.find(name);
      ASSERT_NE(found, told.end()) << kind << ": " << name;
      EXPECT_EQ(found->second, value) << kind << ": " << name;
    }
    EXPECT_EQ(make_op(kind, told)->attributes(), told) << kind;
    EXPECT_EQ(make_op(kind, told)->describe({}), op->describe({})) << kind;
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
