// What the pools of images have in common: windows, attributes, checks, an activation behind it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ops/activation_function.h"
#include "ops/attributes.h"
#include "ops/op.h"
#include "ops/pooling.h"
#include "ops/window.h"

namespace fastcnn {

// The windows of an image, as many as fit: floor((in - start + pad - kernel) / stride) + 1, rounded up with
// ceil_mode, so that the last one may reach beyond the padding, less one that would begin beyond the image. That is
// PyTorch's size, and with ceil_mode and `start` cuda-convnet's.
struct PoolSpec {
  Pair kernel{0, 0};  // 0: adaptive, `output` windows share out the image
  Pair stride{1, 1};
  Pair pad{0, 0};
  bool ceil_mode = false;
  std::optional<Pair> start{};   // where the first window begins; -pad unless given
  std::optional<Pair> output{};  // how many windows there are instead
};

// kernel, stride (kernel), pad (0), ceil_mode (false), start and output; without kernel, output alone. Throws
// ValueError for neither of them, and where a window could lie outside of the image entirely: PyTorch's bound, padding
// of more than half a kernel, and a start that is a kernel away.
PoolSpec read_pool(AttributeReader& attributes);

void write_pool(Attributes& attributes, const PoolSpec& spec);

// The attribute "activation" (identity) with a and b. Throws ValueError where its gradient can't be had from y.
Activation read_pool_activation(AttributeReader& attributes);

// Whether a pool that ends in f can end in g instead, f being applied first.
bool can_take_in(const Activation& f, const Activation& g);

// "MaxPool2d 3x3, stride=2, pad=1, ceil_mode", "AdaptiveMaxPool2d 6x6".
std::string describe_pool(std::string_view name, const PoolSpec& spec);
// ", relu"; nothing for identity.
std::string describe_pool_activation(const Activation& f);

// Output of pooling x (n, c, h, w).
Spec infer_pool(const PoolSpec& spec, Specs x);

// Throw ShapeError when not even one window fits, and when one would begin beyond the image. axis: 0 or 1 of spec,
// over `in` pixels "along the " so and so.
PoolAxis slide_pool_axis(const PoolSpec& spec, std::size_t axis, std::int64_t in, std::string_view along);
Pooling slide_pool(const PoolSpec& spec, const Shape& x, PoolKind kind);

// Pools that hand on at most one element of each window save its number for backward: in a byte where that suffices,
// else in four.
inline bool winners_fit_bytes(const Pooling& p) { return pool_taps(p) < 256; }
std::size_t pool_winners_bytes(const Pooling& p, std::int64_t images);

}  // namespace fastcnn
