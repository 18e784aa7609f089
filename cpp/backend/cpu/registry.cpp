#include "backend/cpu/registry.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace fastcnn {

// One per file of backend/cpu/ops/. A new op is a name here and a line in the table.
KernelMaker make_activation, make_add, make_avg_pool2d, make_batch_norm, make_binary_cross_entropy,
    make_color_transform, make_concat, make_conv2d, make_conv_transpose2d, make_dropout, make_flatten,
    make_gather_channels, make_gaussian_blur, make_group_norm, make_layer_norm, make_linear,
    make_local_response_norm, make_locally_connected2d, make_max_pool2d, make_maximum, make_multiply,
    make_noisy_relu, make_pad2d, make_pixel_shuffle, make_pool_channels, make_prelu, make_reshape, make_resize2d, make_slice,
    make_softmax, make_softmax_cross_entropy, make_spatial_norm, make_split, make_squared_error, make_stochastic_pool2d,
    make_untied_bias;

namespace {

struct Entry {
  std::string_view kind;
  KernelMaker* make;
};

constexpr std::array entries = {
    Entry{"activation", make_activation},
    Entry{"add", make_add},
    Entry{"avg_pool2d", make_avg_pool2d},
    Entry{"batch_norm", make_batch_norm},
    Entry{"binary_cross_entropy", make_binary_cross_entropy},
    Entry{"color_transform", make_color_transform},
    Entry{"concat", make_concat},
    Entry{"conv2d", make_conv2d},
    Entry{"conv_transpose2d", make_conv_transpose2d},
    Entry{"dropout", make_dropout},
    Entry{"flatten", make_flatten},
    Entry{"gather_channels", make_gather_channels},
    Entry{"gaussian_blur", make_gaussian_blur},
    Entry{"group_norm", make_group_norm},
    Entry{"layer_norm", make_layer_norm},
    Entry{"linear", make_linear},
    Entry{"local_response_norm", make_local_response_norm},
    Entry{"locally_connected2d", make_locally_connected2d},
    Entry{"max_pool2d", make_max_pool2d},
    Entry{"maximum", make_maximum},
    Entry{"multiply", make_multiply},
    Entry{"noisy_relu", make_noisy_relu},
    Entry{"pad2d", make_pad2d},
    Entry{"pixel_shuffle", make_pixel_shuffle},
    Entry{"pool_channels", make_pool_channels},
    Entry{"prelu", make_prelu},
    Entry{"reshape", make_reshape},
    Entry{"resize2d", make_resize2d},
    Entry{"slice", make_slice},
    Entry{"softmax", make_softmax},
    Entry{"softmax_cross_entropy", make_softmax_cross_entropy},
    Entry{"spatial_norm", make_spatial_norm},
    Entry{"split", make_split},
    Entry{"squared_error", make_squared_error},
    Entry{"stochastic_pool2d", make_stochastic_pool2d},
    Entry{"untied_bias", make_untied_bias},
};

}  // namespace

KernelMaker* find_kernel_maker(std::string_view kind) {
  const auto entry = std::ranges::find(entries, kind, &Entry::kind);
  return entry != entries.end() ? entry->make : nullptr;
}

}  // namespace fastcnn
