#include "core/strided_array.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "core/error.h"

namespace fastcnn {
namespace {

using Strides = std::array<std::int64_t, Shape::max_rank>;
using Index = std::array<std::int64_t, Shape::max_rank>;

// Calls f(index) for every index of the shape, in row-major order.
template <class F>
void for_each_index(const Shape& shape, F&& f) {
  Index index{};
  for (std::int64_t count = shape.numel(); count > 0; --count) {
    f(index);
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      const auto i = static_cast<std::size_t>(axis);
      if (++index[i] < shape[axis]) break;
      index[i] = 0;
    }
  }
}

std::int64_t offset(const Index& index, const Strides& strides) {
  std::int64_t sum = 0;
  for (std::size_t axis = 0; axis < strides.size(); ++axis) sum += index[axis] * strides[axis];
  return sum;
}

template <class T>
T at(const void* data, std::int64_t bytes) {
  T value;
  std::memcpy(&value, static_cast<const std::byte*>(data) + bytes, sizeof value);
  return value;
}

// Strides that walk the axes in the order given, innermost last.
Strides strides_in_order(const Shape& shape, const std::vector<int>& order, std::int64_t size) {
  Strides strides{};
  for (auto axis = order.rbegin(); axis != order.rend(); ++axis) {
    strides[static_cast<std::size_t>(*axis)] = size;
    size *= shape[*axis];
  }
  return strides;
}

template <class S, class D>
void expect_copied(const Shape& shape, const std::vector<int>& order) {
  std::vector<S> x(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<S>((i * 7 + 3) % 251);
  const Strides strides = strides_in_order(shape, order, sizeof(S));
  const Tensor y({shape, dtype_of<D>});
  copy_in({x.data(), dtype_of<S>, shape, strides}, y.view());
  const Strides stored = storage_strides(y.spec());
  int wrong = 0;
  for_each_index(shape, [&](const Index& index) {
    const auto expected = static_cast<D>(at<S>(x.data(), offset(index, strides)));
    wrong += at<D>(y.data(), offset(index, stored)) != expected;
  });
  EXPECT_EQ(wrong, 0) << shape.str();
}

const std::vector<int> nchw{0, 1, 2, 3};
const std::vector<int> nhwc{0, 2, 3, 1};
const std::vector<int> whcn{3, 2, 1, 0};

template <class S, class D>
void expect_images_copied() {
  for (const Shape& shape : {Shape{2, 3, 5, 7}, Shape{1, 1, 28, 28}, Shape{3, 64, 9, 11},
                             Shape{2, 3, 200, 190}, Shape{1, 130, 17, 33}, Shape{5, 2, 1, 1}}) {
    for (const auto& order : {nchw, nhwc, whcn}) expect_copied<S, D>(shape, order);
  }
}

TEST(CopyIn, takes_images_of_any_type_in_any_order) {
  expect_images_copied<float, float>();
  expect_images_copied<double, float>();
  expect_images_copied<std::uint8_t, float>();
  expect_images_copied<std::int32_t, float>();
  expect_images_copied<std::int64_t, float>();
  expect_images_copied<float, double>();
  expect_images_copied<double, double>();
  expect_images_copied<std::uint8_t, double>();
  expect_images_copied<std::uint8_t, std::int64_t>();
  expect_images_copied<std::int32_t, std::int64_t>();
}

TEST(CopyIn, takes_every_rank) {
  expect_copied<float, float>({}, {});
  expect_copied<float, float>({100'000}, {0});
  expect_copied<double, float>({300, 400}, {1, 0});
  expect_copied<float, float>({30, 40, 50}, {2, 0, 1});
  expect_copied<float, float>({4, 5, 6, 7, 8}, {4, 1, 3, 0, 2});
  expect_copied<std::uint8_t, float>({4, 5, 1, 7, 2, 3}, {5, 4, 3, 2, 1, 0});
}

TEST(CopyIn, takes_negative_and_zero_strides) {
  const std::vector<float> x{1, 2, 3, 4, 5, 6};
  const Tensor y({Shape{2, 3}, DType::float32});
  copy_in({x.data() + 5, DType::float32, {2, 3}, {-12, -4}}, y.view());
  const auto* out = y.view().as<float>();
  EXPECT_EQ(std::vector<float>(out, out + 6), (std::vector<float>{6, 5, 4, 3, 2, 1}));
  copy_in({x.data(), DType::float32, {2, 3}, {0, 8}}, y.view());
  EXPECT_EQ(std::vector<float>(out, out + 6), (std::vector<float>{1, 3, 5, 1, 3, 5}));
}

TEST(CopyIn, takes_unaligned_elements) {
  std::vector<std::byte> bytes(1 + 3 * sizeof(double));
  const double x[3] = {1.5, -2.5, 3.5};
  std::memcpy(bytes.data() + 1, x, sizeof x);
  const Tensor y({Shape{3}, DType::float64});
  copy_in({bytes.data() + 1, DType::float64, {3}, {8}}, y.view());
  EXPECT_EQ(std::memcmp(y.data(), x, sizeof x), 0);
}

TEST(CopyIn, leaves_empty_arrays_alone) {
  const Tensor y({Shape{0, 3, 2, 2}, DType::float32});
  EXPECT_NO_THROW(copy_in({nullptr, DType::uint8, {0, 3, 2, 2}, {}}, y.view()));
  EXPECT_NO_THROW(copy_out(y.view(), nullptr));
}

TEST(CopyIn, refuses_another_shape) {
  const float x[6] = {};
  const Tensor y({Shape{2, 3}, DType::float32});
  EXPECT_THROW(copy_in({x, DType::float32, {3, 2}, {8, 4}}, y.view()), ShapeError);
}

TEST(CopyIn, refuses_fractions_where_integers_are_stored) {
  const float x[2] = {};
  const Tensor y({Shape{2}, DType::int64});
  EXPECT_THROW(copy_in({x, DType::float32, {2}, {4}}, y.view()), DTypeError);
}

template <class T>
void expect_round_trip(const Shape& shape) {
  std::vector<T> x(static_cast<std::size_t>(shape.numel()));
  std::minstd_rand random(1);
  for (T& element : x) element = static_cast<T>(random() % 1000);
  std::vector<int> order(static_cast<std::size_t>(shape.rank()));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
  const Tensor stored({shape, dtype_of<T>});
  copy_in({x.data(), dtype_of<T>, shape, strides_in_order(shape, order, sizeof(T))}, stored.view());
  std::vector<T> y(x.size());
  copy_out(stored.view(), y.data());
  EXPECT_EQ(x, y) << shape.str();
}

TEST(CopyOut, undoes_copy_in) {
  for (const Shape& shape : {Shape{}, Shape{7}, Shape{3, 1000}, Shape{2, 3, 4}, Shape{8, 3, 57, 31},
                             Shape{2, 256, 13, 13}, Shape{1, 1, 300, 300}, Shape{2, 3, 4, 5, 6}}) {
    expect_round_trip<float>(shape);
    expect_round_trip<double>(shape);
    expect_round_trip<std::int64_t>(shape);
  }
}

TEST(StorageStrides, rank_four_is_channels_last_and_others_are_row_major) {
  EXPECT_EQ(storage_strides({{2, 3, 5, 7}, DType::float32}), (Strides{420, 4, 84, 12}));
  EXPECT_EQ(storage_strides({{2, 3, 5}, DType::float64}), (Strides{120, 40, 8}));
  EXPECT_EQ(storage_strides({{}, DType::float32}), Strides{});
}

// Of 2 x 3 numbers as they are stored.
template <class D, class S>
std::vector<D> converted(const std::vector<S>& x) {
  const Tensor y({{2, 3}, dtype_of<D>});
  copy_in({x.data(), dtype_of<S>, {2, 3}, {3 * sizeof(S), sizeof(S)}}, y.view());
  const D* values = static_cast<const D*>(y.data());
  return {values, values + 6};
}

TEST(StridedArray, is_converted_between_all_types_that_hold_its_numbers) {
  for (const DType from : all_dtypes)
    for (const DType to : all_dtypes)
      dispatch(from, [&]<class S>() {
        dispatch(to, [&]<class D>() {
          if (is_floating(from) && !is_floating(to)) return;
          std::vector<S> x;
          for (const int value : {0, 1, 2, 3, 64, 127}) x.push_back(static_cast<S>(static_cast<float>(value)));
          const std::vector<D> y = converted<D>(x);
          for (std::size_t i = 0; i < 6; ++i)
            EXPECT_EQ(static_cast<double>(y[i]), static_cast<double>(x[i])) << name_of(from) << " to " << name_of(to);
        });
      });
}

TEST(StridedArray, of_images_is_converted_into_16_bits_in_storage_order) {
  const Shape shape{2, 3, 5, 7};
  std::vector<float> x(210);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.37f * static_cast<float>(i) - 20;
  const Strides strides = strides_in_order(shape, {0, 1, 2, 3}, sizeof(float));
  const Tensor y({shape, DType::bfloat16});
  copy_in({x.data(), DType::float32, shape, strides}, y.view());
  const Strides stored = storage_strides(y.spec());
  EXPECT_EQ(stored[1], 2);  // channels are neighbours
  for_each_index(shape, [&](const Index& index) {
    const BFloat16 expected(at<float>(x.data(), offset(index, strides)));
    EXPECT_EQ(at<BFloat16>(y.data(), offset(index, stored)).bits, expected.bits);
  });
  std::vector<BFloat16> back(x.size());
  copy_out(y.view(), back.data());
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(back[i].bits, BFloat16(x[i]).bits);
}

TEST(StridedArray, integers_beyond_the_range_become_its_end) {
  const std::vector<std::int64_t> x{-1000, -128, -1, 127, 255, std::int64_t{1} << 40};
  EXPECT_EQ(converted<std::int8_t>(x), (std::vector<std::int8_t>{-128, -128, -1, 127, 127, 127}));
  EXPECT_EQ(converted<std::uint8_t>(x), (std::vector<std::uint8_t>{0, 0, 0, 127, 255, 255}));
  EXPECT_EQ(converted<std::int32_t>(x)[5], std::numeric_limits<std::int32_t>::max());
}

TEST(StridedArray, in_another_layout_than_its_rank_has_by_default_is_stored_so) {
  const Spec row_major({2, 3, 4, 5}, DType::float32, Layout::row_major);
  EXPECT_EQ(storage_strides(row_major)[1], 80);
  EXPECT_EQ(row_major.storage_shape(), (Shape{2, 3, 4, 5}));
  EXPECT_EQ(Spec({2, 3, 4, 5}).storage_shape(), (Shape{2, 4, 5, 3}));
  EXPECT_NE(Spec({2, 3, 4, 5}), row_major);
  EXPECT_THROW(Spec({2, 3}, DType::float32, Layout::channels_last), ShapeError);
}

}  // namespace
}  // namespace fastcnn
