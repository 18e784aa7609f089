#include "ops/attributes.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace fastcnn {
namespace {

using Pair = std::array<std::int64_t, 2>;

AttributeReader one(const char* name, Attribute value) { return {"conv2d", {{name, std::move(value)}}}; }

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const ValueError& error) {
    return error.what();
  }
  return "nothing thrown";
}

TEST(AttributeReader, give_what_was_set) {
  EXPECT_TRUE(one("ceil_mode", true).flag("ceil_mode", false));
  EXPECT_EQ(one("groups", std::int64_t{4}).integer("groups", 1), 4);
  EXPECT_EQ(one("alpha", 0.5).real("alpha", 1.0), 0.5);
  EXPECT_EQ(one("algorithm", std::string("im2col")).text("algorithm", "auto"), "im2col");
}

TEST(AttributeReader, fall_back_when_absent) {
  AttributeReader attributes("conv2d", {});
  EXPECT_FALSE(attributes.flag("ceil_mode", false));
  EXPECT_EQ(attributes.integer("groups", 1), 1);
  EXPECT_EQ(attributes.real("alpha", 0.25), 0.25);
  EXPECT_EQ(attributes.text("algorithm", "auto"), "auto");
  EXPECT_EQ(attributes.pair("stride", 2, 1), (Pair{2, 2}));
  EXPECT_FALSE(attributes.has("stride"));
}

TEST(AttributeReader, take_an_integer_where_a_real_is_wanted) {
  EXPECT_EQ(one("alpha", std::int64_t{3}).real("alpha", 1.0), 3.0);
}

TEST(AttributeReader, pair_is_one_number_for_both_or_two) {
  EXPECT_EQ(one("stride", std::int64_t{3}).pair("stride", 1, 1), (Pair{3, 3}));
  EXPECT_EQ(one("stride", std::vector<std::int64_t>{2, 5}).pair("stride", 1, 1), (Pair{2, 5}));
}

TEST(AttributeReader, pair_refuses_what_is_too_small_or_no_pair) {
  EXPECT_EQ(message_of([] { one("stride", std::int64_t{0}).pair("stride", 1, 1); }),
            "conv2d: attribute stride: expected one positive integer or a pair, got 0");
  EXPECT_EQ(message_of([] { one("pad", std::vector<std::int64_t>{1, -1}).pair("pad", 0, 0); }),
            "conv2d: attribute pad: expected one non-negative integer or a pair, got (1, -1)");
  EXPECT_EQ(message_of([] { one("stride", std::vector<std::int64_t>{1, 2, 3}).pair("stride", 1, 1); }),
            "conv2d: attribute stride: expected one positive integer or a pair, got (1, 2, 3)");
  EXPECT_EQ(message_of([] { one("stride", 1.5).pair("stride", 1, 1); }),
            "conv2d: attribute stride: expected one positive integer or a pair, got 1.5");
}

TEST(AttributeReader, refuse_another_type_by_name) {
  EXPECT_EQ(message_of([] { one("groups", 2.0).integer("groups", 1); }),
            "conv2d: attribute groups: expected an integer, got 2.0");
  EXPECT_EQ(message_of([] { one("groups", true).integer("groups", 1); }),
            "conv2d: attribute groups: expected an integer, got true");
  EXPECT_EQ(message_of([] { one("alpha", std::string("x")).real("alpha", 1.0); }),
            "conv2d: attribute alpha: expected a number, got \"x\"");
  EXPECT_EQ(message_of([] { one("ceil_mode", std::int64_t{1}).flag("ceil_mode", false); }),
            "conv2d: attribute ceil_mode: expected true or false, got 1");
  EXPECT_EQ(message_of([] { one("algorithm", std::int64_t{1}).text("algorithm", "auto"); }),
            "conv2d: attribute algorithm: expected a string, got 1");
}

TEST(AttributeReader, finish_accepts_when_all_were_read) {
  AttributeReader attributes("conv2d", {{"stride", std::int64_t{2}}});
  attributes.pair("stride", 1, 1);
  EXPECT_NO_THROW(attributes.finish());
}

TEST(AttributeReader, finish_refuses_what_nobody_asked_for_and_suggests_the_near_name) {
  AttributeReader attributes("conv2d", {{"strides", std::int64_t{2}}, {"colour", std::string("red")}});
  attributes.pair("stride", 1, 1);
  attributes.pair("pad", 0, 0);
  EXPECT_EQ(message_of([&] { attributes.finish(); }),
            "conv2d: unknown attribute colour; unknown attribute strides, did you mean stride?");
}

}  // namespace
}  // namespace fastcnn
