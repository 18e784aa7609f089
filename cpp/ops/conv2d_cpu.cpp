// Hands the passes to the algorithms; the gradients of bias and activation, which are the same for all.
#include <algorithm>

#include "core/thread_pool.h"
#include "cpu/kernels.h"
#include "ops/conv2d.h"

namespace fastcnn {
namespace {

// Pixels whose gradients one task looks at; one partial sum of db each.
std::int64_t block_pixels(const Conv2dProblem& p) {
  constexpr std::int64_t block_elements = 1 << 14;
  constexpr std::int64_t most_blocks = 64;
  const std::int64_t pixels = std::max<std::int64_t>(1, block_elements / p.c_out);
  return std::max(pixels, (p.pixels() + most_blocks - 1) / most_blocks);
}

std::int64_t block_count(const Conv2dProblem& p) {
  return (p.pixels() + block_pixels(p) - 1) / block_pixels(p);
}

// dy *= f'(y) in place, and db = sums of that over all pixels, in one pass over memory. db may be null.
template <class T>
void sum_gradient(const Conv2dProblem& p, const Activation& f, const T* y, T* dy, T* db, T* partial) {
  const bool has_activation = f.kind != Activation::Kind::identity;
  if (!has_activation && db == nullptr) return;
  const std::int64_t block = block_pixels(p);
  const std::int64_t blocks = block_count(p);
  const auto bytes = static_cast<std::int64_t>(3 * sizeof(T));
  parallel_for(blocks, block * p.c_out * bytes, [&](std::int64_t task, int) {
    const std::int64_t pixels = std::min(block, p.pixels() - task * block);
    const std::int64_t first = task * block * p.c_out;
    if (has_activation) {
      const T* y_block = y != nullptr ? y + first : nullptr;
      kernels<T>().activation_gradient(f, nullptr, y_block, dy + first, dy + first, pixels * p.c_out);
    }
    if (db != nullptr)
      kernels<T>().column_sums(dy + first, pixels, p.c_out, p.c_out, partial + task * p.c_out);
  });
  if (db != nullptr) kernels<T>().column_sums(partial, blocks, p.c_out, p.c_out, db);
}

View input_gradient(const BackwardArgs& args, std::size_t i) {
  return i < args.dx.size() ? args.dx[i] : View{};
}

template <class T>
void fill_zero(View view) {
  if (view) std::fill_n(view.as<T>(), view.spec.shape.numel(), T{0});
}

}  // namespace

ScratchSize Conv2d::scratch(Specs x, Direction direction) const {
  const Conv2dProblem p = problem(x[0].shape, x[1].shape);
  if (p.n == 0) return {};
  return dispatch_floating(x[0].dtype, [&]<class T>() {
    if (direction == Direction::forward) {
      return choose_conv2d_algorithm<T>(options_.algorithm, p, Conv2dPass::forward)
          .scratch(p, Conv2dPass::forward);
    }
    ScratchSize size{.shared = static_cast<std::size_t>(block_count(p) * p.c_out) * sizeof(T)};
    for (const Conv2dPass pass : {Conv2dPass::backward_data, Conv2dPass::backward_weights}) {
      const ScratchSize needed = choose_conv2d_algorithm<T>(options_.algorithm, p, pass).scratch(p, pass);
      size.shared = std::max(size.shared, needed.shared);
      size.per_thread = std::max(size.per_thread, needed.per_thread);
    }
    return size;
  });
}

void Conv2d::forward(const ForwardArgs& args) const {
  const Conv2dProblem p = problem(args.x[0].spec.shape, args.x[1].spec.shape);
  if (p.n == 0) return;
  dispatch_floating(args.y.spec.dtype, [&]<class T>() {
    const T* bias = args.x.size() > 2 ? args.x[2].as<T>() : nullptr;
    choose_conv2d_algorithm<T>(options_.algorithm, p, Conv2dPass::forward)
        .forward(p, args.x[0].as<T>(), args.x[1].as<T>(), {bias, options_.activation}, args.y.as<T>(),
                 args.scratch);
  });
}

void Conv2d::backward(const BackwardArgs& args) const {
  const Conv2dProblem p = problem(args.x[0].spec.shape, args.x[1].spec.shape);
  const View dx = input_gradient(args, 0);
  const View dw = input_gradient(args, 1);
  const View db = input_gradient(args, 2);
  dispatch_floating(args.dy.spec.dtype, [&]<class T>() {
    if (p.n == 0) {
      fill_zero<T>(dw);
      fill_zero<T>(db);
      return;
    }
    T* dy = args.dy.as<T>();
    sum_gradient(p, options_.activation, args.y.as<T>(), dy, db.as<T>(), args.scratch.shared<T>());
    if (dx) {
      choose_conv2d_algorithm<T>(options_.algorithm, p, Conv2dPass::backward_data)
          .backward_data(p, dy, args.x[1].as<T>(), dx.as<T>(), args.scratch);
    }
    if (dw) {
      choose_conv2d_algorithm<T>(options_.algorithm, p, Conv2dPass::backward_weights)
          .backward_weights(p, args.x[0].as<T>(), dy, dw.as<T>(), args.scratch);
    }
  });
}

}  // namespace fastcnn
