#include "backend/cpu/families/families.h"

#include "backend/cpu/generic/pool.h"
#include "backend/cpu/generic/pool_channels.h"
#include "backend/cpu/generic/stochastic_pool.h"

namespace fastcnn::FASTCNN_ISA_NAMESPACE {

template <class T, class Index>
constexpr PoolWinnerKernels<T, Index> pool_winners = {
    .max_pool2d = generic::max_pool2d<Vec<T>, Index>,
    .stochastic_pool2d = generic::stochastic_pool2d<Vec<T>, Index>,
    .gradient = generic::pool_winners_gradient<Vec<T>, Index>,
};

template <class T>
void add_pooling(Kernels<T>& table) {
  using V = Vec<T>;
  static_cast<PoolingKernels<T>&>(table) = {
      .pool_winners_u8 = pool_winners<T, uint8_t>,
      .pool_winners_i32 = pool_winners<T, int32_t>,
      .avg_pool2d = generic::avg_pool2d<V>,
      .avg_pool2d_gradient = generic::avg_pool2d_gradient<V>,
      .weighted_pool2d = generic::weighted_pool2d<V>,
      .max_pool_channels = generic::max_pool_channels<V>,
      .max_pool_channels_gradient = generic::max_pool_channels_gradient<V>,
      .avg_pool_channels = generic::avg_pool_channels<V>,
      .avg_pool_channels_gradient = generic::avg_pool_channels_gradient<V>,
  };
}

FASTCNN_INSTANTIATE(add_pooling)

}  // namespace fastcnn::FASTCNN_ISA_NAMESPACE
