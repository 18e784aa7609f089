#include "core/strided_array.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/ceil_div.h"
#include "core/error.h"
#include "core/parallel.h"
#include "core/thread_pool.h"

namespace fastcnn {
namespace {

using Strides = std::array<std::int64_t, Shape::max_rank>;

// One axis of a copy; strides in bytes.
struct Axis {
  std::int64_t extent = 1;
  std::int64_t source = 0;
  std::int64_t destination = 0;
};

constexpr std::int64_t piece_elements = 32 * 1024;  // of one task
// A tile of a transposition. Few columns: lines that are a power of two apart share one cache set.
constexpr std::int64_t tile_rows = 64;
constexpr std::int64_t tile_columns = 8;

Strides row_major_strides(const Spec& spec) {
  Strides strides{};
  auto stride = static_cast<std::int64_t>(size_of(spec.dtype));
  for (int axis = spec.shape.rank() - 1; axis >= 0; --axis) {
    strides[static_cast<std::size_t>(axis)] = stride;
    stride *= spec.shape[axis];
  }
  return strides;
}

// Outermost of the destination first; axes that can be walked as one are one.
std::vector<Axis> simplify(const Shape& shape, const Strides& source, const Strides& destination) {
  std::vector<Axis> axes;
  for (int i = 0; i < shape.rank(); ++i) {
    const auto axis = static_cast<std::size_t>(i);
    if (shape[i] != 1) axes.push_back({shape[i], source[axis], destination[axis]});
  }
  std::ranges::sort(axes, std::greater{}, &Axis::destination);
  std::vector<Axis> merged;
  for (const Axis& axis : axes) {
    const bool joins = !merged.empty() && merged.back().source == axis.source * axis.extent &&
                       merged.back().destination == axis.destination * axis.extent;
    if (joins) {
      merged.back() = {merged.back().extent * axis.extent, axis.source, axis.destination};
    } else {
      merged.push_back(axis);
    }
  }
  return merged;
}

template <class S>
S load(const std::byte* p) {
  S value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

template <class S, class D>
void copy_row(const std::byte* source, std::int64_t stride, D* y, std::int64_t n) {
  constexpr auto size = static_cast<std::int64_t>(sizeof(S));
  if (stride != size) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<D>(load<S>(source + i * stride));
  } else if constexpr (std::is_same_v<S, D>) {
    std::memcpy(y, source, static_cast<std::size_t>(n) * sizeof(D));
  } else {
    for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<D>(load<S>(source + i * size));
  }
}

// Columns of a few neighbours, such as the channels of pictures, from planes whose rows lie side by side.
template <std::int64_t columns, class S, class D>
void interleave(const std::byte* source, std::int64_t plane, D* y, std::int64_t rows) {
  constexpr auto size = static_cast<std::int64_t>(sizeof(S));
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j)
      y[i * columns + j] = static_cast<D>(load<S>(source + i * size + j * plane));
  }
}

// Columns are contiguous in the destination. Where the source is denser along rows, goes by tiles, so
// that each of its cache lines is read once.
template <class S, class D>
void copy_piece(const std::byte* source, std::byte* destination, const Axis& rows, const Axis& columns) {
  const auto row = [&](std::int64_t i) { return reinterpret_cast<D*>(destination + i * rows.destination); };
  const bool side_by_side = rows.source == std::int64_t{sizeof(S)} &&
                            rows.destination == columns.extent * std::int64_t{sizeof(D)};
  if (side_by_side && columns.extent == 3) return interleave<3, S>(source, columns.source, row(0), rows.extent);
  if (side_by_side && columns.extent == 4) return interleave<4, S>(source, columns.source, row(0), rows.extent);
  if (std::abs(columns.source) <= std::abs(rows.source) || rows.extent == 1) {
    for (std::int64_t i = 0; i < rows.extent; ++i) {
      copy_row<S>(source + i * rows.source, columns.source, row(i), columns.extent);
    }
    return;
  }
  for (std::int64_t i0 = 0; i0 < rows.extent; i0 += tile_rows) {
    const std::int64_t i1 = std::min(rows.extent, i0 + tile_rows);
    for (std::int64_t j0 = 0; j0 < columns.extent; j0 += tile_columns) {
      const std::int64_t width = std::min(tile_columns, columns.extent - j0);
      for (std::int64_t i = i0; i < i1; ++i) {
        copy_row<S>(source + i * rows.source + j0 * columns.source, columns.source, row(i) + j0, width);
      }
    }
  }
}

// The plane of (rows, columns) is cut into pieces; the other axes repeat the plane.
template <class S, class D>
void copy(const std::byte* source, std::byte* destination, std::vector<Axis> axes) {
  Axis columns{1, sizeof(S), sizeof(D)};
  Axis rows;
  if (!axes.empty()) {
    columns = axes.back();
    axes.pop_back();
  }
  if (!axes.empty()) {
    const auto density = [](const Axis& axis) { return std::abs(axis.source); };
    auto chosen = std::ranges::min_element(axes, {}, density);
    if (density(*chosen) >= density(columns)) chosen = axes.end() - 1;
    rows = *chosen;
    axes.erase(chosen);
  }

  const std::int64_t width = std::min(columns.extent, piece_elements);
  const std::int64_t height = std::clamp<std::int64_t>(piece_elements / width, 1, rows.extent);
  const std::int64_t across = ceil_div(columns.extent, width);
  const std::int64_t down = ceil_div(rows.extent, height);
  std::int64_t planes = 1;
  for (const Axis& axis : axes) planes *= axis.extent;

  const auto bytes = static_cast<std::int64_t>(sizeof(S) + sizeof(D));
  parallel_for(planes * down * across, width * height * bytes, [&](std::int64_t task, int) {
    const std::int64_t j = task % across * width;
    const std::int64_t i = task / across % down * height;
    std::int64_t plane = task / across / down;
    std::int64_t from = i * rows.source + j * columns.source;
    std::int64_t to = i * rows.destination + j * columns.destination;
    for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
      from += plane % axis->extent * axis->source;
      to += plane % axis->extent * axis->destination;
      plane /= axis->extent;
    }
    Axis piece_rows = rows;
    Axis piece_columns = columns;
    piece_rows.extent = std::min(height, rows.extent - i);
    piece_columns.extent = std::min(width, columns.extent - j);
    copy_piece<S, D>(source + from, destination + to, piece_rows, piece_columns);
  });
}

// Between equal types only the size matters.
void copy_same(DType dtype, const std::byte* source, std::byte* destination, std::vector<Axis> axes) {
  switch (size_of(dtype)) {
    case 1: return copy<std::uint8_t, std::uint8_t>(source, destination, std::move(axes));
    case 2: return copy<std::uint16_t, std::uint16_t>(source, destination, std::move(axes));
    case 4: return copy<std::uint32_t, std::uint32_t>(source, destination, std::move(axes));
    default: return copy<std::uint64_t, std::uint64_t>(source, destination, std::move(axes));
  }
}

// The conversions that are compiled as loops of their own: those into the types that kernels compute in, and between these
// and the ones that they are stored as.
template <class... Pairs>
struct ConversionList {};
template <class S, class D>
struct Conversion {
  using Source = S;
  using Destination = D;
};
using FastConversions =
    ConversionList<Conversion<double, float>, Conversion<std::uint8_t, float>, Conversion<std::int32_t, float>,
                   Conversion<std::int64_t, float>, Conversion<BFloat16, float>, Conversion<Float16, float>,
                   Conversion<float, double>, Conversion<std::uint8_t, double>, Conversion<std::int64_t, double>,
                   Conversion<std::uint8_t, std::int64_t>, Conversion<std::int32_t, std::int64_t>,
                   Conversion<float, BFloat16>, Conversion<float, Float16>>;

template <class... Pairs>
bool copy_fast(ConversionList<Pairs...>, DType from, DType to, const std::byte* source, std::byte* destination,
               const std::vector<Axis>& axes) {
  const auto attempt = [&]<class Pair>(Pair) {
    using S = typename Pair::Source;
    using D = typename Pair::Destination;
    if (from != dtype_of<S> || to != dtype_of<D>) return false;
    copy<S, D>(source, destination, axes);
    return true;
  };
  return (attempt(Pairs{}) || ...);
}

// All others, element by element through a double, which holds every number of at most 32 bits.
void copy_any(DType from, DType to, const std::byte* source, std::byte* destination, const std::vector<Axis>& axes) {
  using Read = double (*)(const std::byte*);
  using Write = void (*)(double, std::byte*);
  const Read read = dispatch(from, []<class S>() -> Read {
    return [](const std::byte* p) { return static_cast<double>(load<S>(p)); };
  });
  const Write write = dispatch(to, []<class D>() -> Write {
    return [](double value, std::byte* p) {
      D converted;
      if constexpr (std::is_integral_v<D>) {
        constexpr auto min = std::numeric_limits<D>::min(), max = std::numeric_limits<D>::max();
        converted = value <= static_cast<double>(min)   ? min
                    : value >= static_cast<double>(max) ? max
                                                        : static_cast<D>(value);
      } else {
        converted = static_cast<D>(value);
      }
      std::memcpy(p, &converted, sizeof converted);
    };
  });
  std::int64_t n = 1;
  for (const Axis& axis : axes) n *= axis.extent;
  parallel_ranges(n, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      std::int64_t at = i, read_at = 0, write_at = 0;
      for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
        read_at += at % axis->extent * axis->source;
        write_at += at % axis->extent * axis->destination;
        at /= axis->extent;
      }
      write(read(source + read_at), destination + write_at);
    }
  });
}

}  // namespace

void copy_in(const StridedArray& source, View destination) {
  const Spec& spec = destination.spec;
  if (source.shape != spec.shape) {
    throw ShapeError("array has shape " + source.shape.str() + ", expected " + spec.shape.str());
  }
  if (is_floating(source.type) && !is_floating(spec.dtype)) {
    throw DTypeError(std::string("array has ") + name_of(source.type) + " numbers, expected integers");
  }
  if (spec.shape.numel() == 0) return;
  const std::vector<Axis> axes = simplify(spec.shape, source.strides, storage_strides(spec));
  const auto* from = static_cast<const std::byte*>(source.data);
  auto* to = destination.as<std::byte>();
  if (source.type == spec.dtype) return copy_same(spec.dtype, from, to, axes);
  if (!copy_fast(FastConversions{}, source.type, spec.dtype, from, to, axes))
    copy_any(source.type, spec.dtype, from, to, axes);
}

void copy_out(ConstView source, void* destination) {
  const Spec& spec = source.spec;
  if (spec.shape.numel() == 0) return;
  copy_same(spec.dtype, source.as<std::byte>(), static_cast<std::byte*>(destination),
            simplify(spec.shape, storage_strides(spec), row_major_strides(spec)));
}

Strides storage_strides(const Spec& spec) {
  if (!spec.is_channels_last()) return row_major_strides(spec);
  const auto size = static_cast<std::int64_t>(size_of(spec.dtype));
  const std::int64_t c = spec.shape[1];
  const std::int64_t h = spec.shape[2];
  const std::int64_t w = spec.shape[3];
  return {h * w * c * size, size, w * c * size, c * size};
}

}  // namespace fastcnn
