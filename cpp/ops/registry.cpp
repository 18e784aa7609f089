#include "ops/registry.h"

#include <array>
#include <string>

#include "core/edit_distance.h"
#include "core/error.h"
#include "ops/activation.h"
#include "ops/add.h"
#include "ops/avg_pool2d.h"
#include "ops/batch_norm.h"
#include "ops/binary_cross_entropy.h"
#include "ops/color_transform.h"
#include "ops/concat.h"
#include "ops/conv2d.h"
#include "ops/conv_transpose2d.h"
#include "ops/dropout.h"
#include "ops/flatten.h"
#include "ops/gather_channels.h"
#include "ops/gaussian_blur.h"
#include "ops/group_norm.h"
#include "ops/layer_norm.h"
#include "ops/linear.h"
#include "ops/local_response_norm.h"
#include "ops/locally_connected2d.h"
#include "ops/max_pool2d.h"
#include "ops/maximum.h"
#include "ops/multiply.h"
#include "ops/noisy_relu.h"
#include "ops/pad2d.h"
#include "ops/pixel_shuffle.h"
#include "ops/pool_channels.h"
#include "ops/prelu.h"
#include "ops/reshape.h"
#include "ops/resize2d.h"
#include "ops/slice.h"
#include "ops/softmax.h"
#include "ops/softmax_cross_entropy.h"
#include "ops/spatial_norm.h"
#include "ops/split.h"
#include "ops/squared_error.h"
#include "ops/stochastic_pool2d.h"
#include "ops/untied_bias.h"

namespace fastcnn {
namespace {

struct Entry {
  std::string_view kind;
  OpPtr (*make)(AttributeReader&);
};

constexpr std::array entries = {
    Entry{"activation", ActivationOp::make},
    Entry{"add", Add::make},
    Entry{"avg_pool2d", AvgPool2d::make},
    Entry{"batch_norm", BatchNorm::make},
    Entry{"binary_cross_entropy", BinaryCrossEntropy::make},
    Entry{"color_transform", ColorTransform::make},
    Entry{"concat", Concat::make},
    Entry{"conv2d", Conv2d::make},
    Entry{"conv_transpose2d", ConvTranspose2d::make},
    Entry{"dropout", Dropout::make},
    Entry{"flatten", Flatten::make},
    Entry{"gather_channels", GatherChannels::make},
    Entry{"gaussian_blur", GaussianBlur::make},
    Entry{"group_norm", GroupNorm::make},
    Entry{"layer_norm", LayerNorm::make},
    Entry{"linear", Linear::make},
    Entry{"local_response_norm", LocalResponseNorm::make},
    Entry{"locally_connected2d", LocallyConnected2d::make},
    Entry{"max_pool2d", MaxPool2d::make},
    Entry{"maximum", Maximum::make},
    Entry{"multiply", Multiply::make},
    Entry{"noisy_relu", NoisyRelu::make},
    Entry{"pad2d", Pad2d::make},
    Entry{"pixel_shuffle", PixelShuffle::make},
    Entry{"pool_channels", PoolChannels::make},
    Entry{"prelu", PRelu::make},
    Entry{"reshape", Reshape::make},
    Entry{"resize2d", Resize2d::make},
    Entry{"slice", Slice::make},
    Entry{"softmax", Softmax::make},
    Entry{"softmax_cross_entropy", SoftmaxCrossEntropy::make},
    Entry{"spatial_norm", SpatialNorm::make},
    Entry{"split", Split::make},
    Entry{"squared_error", SquaredError::make},
    Entry{"stochastic_pool2d", StochasticPool2d::make},
    Entry{"untied_bias", UntiedBias::make},
};

// The known kinds that were probably meant, else all of them.
std::string suggestions(std::string_view kind) {
  std::string near, all;
  for (const Entry& entry : entries) {
    const bool close = edit_distance(kind, entry.kind) <= 1 + entry.kind.size() / 4 ||
                       (kind.size() >= 3 && entry.kind.find(kind) != std::string_view::npos);
    if (close) near += (near.empty() ? "" : " or ") + std::string(entry.kind);
    all += (all.empty() ? "" : ", ") + std::string(entry.kind);
  }
  return near.empty() ? "the kinds are " + all : "did you mean " + near + "?";
}

}  // namespace

OpPtr make_op(std::string_view kind, const Attributes& attributes) {
  for (const Entry& entry : entries) {
    if (entry.kind != kind) continue;
    AttributeReader reader(kind, attributes);
    OpPtr op = entry.make(reader);
    reader.finish();
    return op;
  }
  throw ValueError("unknown op \"" + std::string(kind) + "\"; " + suggestions(kind));
}

std::vector<std::string_view> op_kinds() {
  std::vector<std::string_view> kinds;
  for (const Entry& entry : entries) kinds.push_back(entry.kind);
  return kinds;
}

}  // namespace fastcnn
