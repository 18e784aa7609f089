// Element types of tensors and the one place where a type becomes a template argument.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.h"

namespace fastcnn {

enum class DType : std::uint8_t { float32, float64, int64 };

constexpr std::size_t size_of(DType dtype) { return dtype == DType::float32 ? 4 : 8; }

constexpr const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::float32: return "float32";
    case DType::float64: return "float64";
    case DType::int64: return "int64";
  }
  return "?";
}

template <class T>
inline constexpr DType dtype_of = [] { static_assert(sizeof(T) == 0, "no DType for this type"); }();
template <>
inline constexpr DType dtype_of<float> = DType::float32;
template <>
inline constexpr DType dtype_of<double> = DType::float64;
template <>
inline constexpr DType dtype_of<std::int64_t> = DType::int64;

constexpr bool is_floating(DType dtype) { return dtype != DType::int64; }

// Calls f.operator()<float>() or f.operator()<double>(); throws DTypeError for other types.
template <class F>
decltype(auto) dispatch_floating(DType dtype, F&& f) {
  switch (dtype) {
    case DType::float32: return f.template operator()<float>();
    case DType::float64: return f.template operator()<double>();
    case DType::int64: break;
  }
  throw DTypeError("expected float32 or float64, got int64");
}

}  // namespace fastcnn
