// Element types of tensors: one table of what is known of each, and the one place where a type becomes a template argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/error.h"
#include "core/half.h"

namespace fastcnn {

enum class DType : std::uint8_t { float32, float64, bfloat16, float16, int8, uint8, int32, int64 };

inline constexpr DType all_dtypes[] = {DType::float32, DType::float64, DType::bfloat16, DType::float16,
                                       DType::int8,    DType::uint8,   DType::int32,    DType::int64};

enum class NumberKind : std::uint8_t { floating, signed_integer, unsigned_integer };

struct DTypeTraits {
  std::size_t size;
  NumberKind kind;
  const char* name;   // NumPy's; ml_dtypes' of bfloat16
  DType accumulator;  // of sums of products
};

// No default here nor in other switches over types: one that is new doesn't compile until it stands everywhere.
constexpr DTypeTraits traits_of(DType dtype) {
  switch (dtype) {
    case DType::float32: return {4, NumberKind::floating, "float32", DType::float32};
    case DType::float64: return {8, NumberKind::floating, "float64", DType::float64};
    case DType::bfloat16: return {2, NumberKind::floating, "bfloat16", DType::float32};
    case DType::float16: return {2, NumberKind::floating, "float16", DType::float32};
    case DType::int8: return {1, NumberKind::signed_integer, "int8", DType::int32};
    case DType::uint8: return {1, NumberKind::unsigned_integer, "uint8", DType::int32};
    case DType::int32: return {4, NumberKind::signed_integer, "int32", DType::int64};
    case DType::int64: return {8, NumberKind::signed_integer, "int64", DType::int64};
  }
  return {};
}

constexpr std::size_t size_of(DType dtype) { return traits_of(dtype).size; }
constexpr const char* name_of(DType dtype) { return traits_of(dtype).name; }
constexpr bool is_floating(DType dtype) { return traits_of(dtype).kind == NumberKind::floating; }

template <class T>
inline constexpr DType dtype_of = [] { static_assert(sizeof(T) == 0, "no DType for this type"); }();
template <>
inline constexpr DType dtype_of<float> = DType::float32;
template <>
inline constexpr DType dtype_of<double> = DType::float64;
template <>
inline constexpr DType dtype_of<BFloat16> = DType::bfloat16;
template <>
inline constexpr DType dtype_of<Float16> = DType::float16;
template <>
inline constexpr DType dtype_of<std::int8_t> = DType::int8;
template <>
inline constexpr DType dtype_of<std::uint8_t> = DType::uint8;
template <>
inline constexpr DType dtype_of<std::int32_t> = DType::int32;
template <>
inline constexpr DType dtype_of<std::int64_t> = DType::int64;

// Calls f.operator()<T>() with the C++ type of `dtype`.
template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::float32: return f.template operator()<float>();
    case DType::float64: return f.template operator()<double>();
    case DType::bfloat16: return f.template operator()<BFloat16>();
    case DType::float16: return f.template operator()<Float16>();
    case DType::int8: return f.template operator()<std::int8_t>();
    case DType::uint8: return f.template operator()<std::uint8_t>();
    case DType::int32: return f.template operator()<std::int32_t>();
    case DType::int64: break;
  }
  return f.template operator()<std::int64_t>();
}

// The types that kernels compute in: calls f.operator()<float>() or f.operator()<double>(); throws DTypeError for others.
template <class F>
decltype(auto) dispatch_floating(DType dtype, F&& f) {
  switch (dtype) {
    case DType::float32: return f.template operator()<float>();
    case DType::float64: return f.template operator()<double>();
    case DType::bfloat16:
    case DType::float16:
    case DType::int8:
    case DType::uint8:
    case DType::int32:
    case DType::int64: break;
  }
  throw DTypeError(std::string("expected float32 or float64, got ") + name_of(dtype));
}

}  // namespace fastcnn
