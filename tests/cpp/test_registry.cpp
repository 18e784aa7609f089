#include "ops/registry.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "message_of.h"

namespace fastcnn::testing {
namespace {

TEST(Registry, lists_its_kinds_in_order_and_once) {
  const auto kinds = op_kinds();
  EXPECT_TRUE(std::ranges::is_sorted(kinds));
  EXPECT_EQ(std::ranges::adjacent_find(kinds), kinds.end());
}

TEST(Registry, makes_every_kind_under_its_name) {
  for (const std::string_view kind : op_kinds()) {
    std::map<std::string, Attribute, std::less<>> attributes;
    if (kind.ends_with("pool2d")) attributes["kernel"] = std::int64_t{2};
    if (kind == "pool_channels") attributes["size"] = std::int64_t{2};
    if (kind == "layer_norm") attributes["shape"] = std::vector<std::int64_t>{2};
    if (kind == "color_transform") attributes["to"] = std::string("yuv");
    if (kind == "pad2d") attributes["padding"] = std::vector<std::int64_t>{1, 1, 1, 1};
    if (kind == "resize2d") attributes["output"] = std::vector<std::int64_t>{2, 2};
    if (kind == "slice") attributes["stop"] = std::int64_t{1};
    const OpPtr op = make_op(kind, attributes);
    EXPECT_EQ(op->kind(), kind);
  }
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
