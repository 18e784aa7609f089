// Parameters that hold a gradient, and optimisers of them, for tests of optim/.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/cpu/backend.h"
#include "core/random.h"
#include "core/thread_pool.h"
#include "optim/optimizer.h"

namespace fastcnn::testing {

// Of the standard normal distribution, as is its gradient.
inline ParameterPtr parameter_with_gradient(const Spec& spec, std::uint64_t seed) {
  auto p = std::make_shared<Parameter>(spec);
  fill_normal(p->value.view(), seed, 0, 0.0, 1.0);
  p->grad = Tensor(spec);
  fill_normal(p->grad.view(), seed, 1, 0.0, 1.0);
  p->has_grad = true;
  return p;
}

template <class T>
std::vector<T> elements(const Tensor& x) {
  const T* begin = x.view().as<T>();
  return {begin, begin + x.spec().shape.numel()};
}

inline std::vector<ParameterPtr> parameters_of(const Optimizer& optimizer) {
  std::vector<ParameterPtr> parameters;
  for (const Optimizer::Slot& slot : optimizer.slots()) parameters.push_back(slot.parameter);
  return parameters;
}

// One whose parameters are all in one group.
template <class O, class Settings>
O optimizer_of(const std::vector<ParameterPtr>& parameters, const Settings& settings) {
  O optimizer({parameters}, cpu_backend());
  optimizer.configure(0, settings);
  return optimizer;
}

inline void expect_equal_bytes(const Optimizer& a, const Optimizer& b, const std::string& what) {
  const auto equal = [](const Tensor& x, const Tensor& y) {
    return !x == !y && (!x || std::memcmp(x.data(), y.data(), x.spec().bytes()) == 0);
  };
  ASSERT_EQ(a.slots().size(), b.slots().size());
  for (std::size_t i = 0; i < a.slots().size(); ++i) {
    const Optimizer::Slot &left = a.slots()[i], &right = b.slots()[i];
    EXPECT_TRUE(equal(left.parameter->value, right.parameter->value)) << what << ", parameter " << i;
    EXPECT_EQ(left.parameter->version, right.parameter->version) << what << ", parameter " << i;
    EXPECT_EQ(left.steps, right.steps) << what << ", parameter " << i;
    for (std::size_t s = 0; s < left.state.size(); ++s)
      EXPECT_TRUE(equal(left.state[s], right.state[s])) << what << ", state " << s << " of parameter " << i;
  }
}

// A few steps of one optimiser at 1, 2, 3 and 8 threads.
template <class O, class Settings>
void expect_bytes_equal_at_any_number_of_threads(const Settings& settings) {
  const auto trained = [&](int threads) {
    set_num_threads(threads);
    std::vector<ParameterPtr> parameters;
    for (const std::int64_t n : {500'003, 10, 100'000, 1})
      parameters.push_back(parameter_with_gradient({Shape{n}, DType::float32}, static_cast<std::uint64_t>(n)));
    auto optimizer = std::make_unique<O>(ParameterGroups{parameters}, cpu_backend());
    optimizer->configure(0, settings);
    for (int step = 0; step < 4; ++step) optimizer->step();
    return optimizer;
  };
  const int before = thread_count();
  const auto one = trained(1);
  for (const int threads : {2, 3, 8}) expect_equal_bytes(*one, *trained(threads), std::to_string(threads) + " threads");
  set_num_threads(before);
}

}  // namespace fastcnn::testing
