#include "conv2d_run.h"

#include <chrono>

#include "core/thread_pool.h"

namespace fastcnn {
namespace {

Buffer filled(std::int64_t count) {
  Buffer buffer = allocate(static_cast<std::size_t>(count) * sizeof(float));
  auto* values = reinterpret_cast<float*>(buffer.get());
  for (std::int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(i % 7) - 3;
  return buffer;
}

float* floats(const Buffer& buffer) { return reinterpret_cast<float*>(buffer.get()); }

}  // namespace

Conv2dRun::Conv2dRun(const Conv2dAlgorithm<float>& algorithm, const Conv2dProblem& p, Conv2dPass pass)
    : algorithm_(algorithm),
      problem_(p),
      pass_(pass),
      x_(filled(p.n * p.c_in * p.h_in * p.w_in)),
      w_(filled(p.weights())),
      b_(filled(p.c_out)),
      y_(filled(p.pixels() * p.c_out)),
      prepared_(filled(algorithm.prepared_elements(p, pass))) {
  const ScratchSize size = algorithm.scratch(p, pass);
  const std::size_t stride = align_up(size.per_thread);
  shared_ = allocate(size.shared);
  per_thread_ = allocate(stride * static_cast<std::size_t>(num_threads().threads));
  scratch_ = Scratch(shared_.get(), per_thread_.get(), stride);
}

float* Conv2dRun::weights(bool prepared) {
  if (algorithm_.prepared_elements(problem_, pass_) == 0) return floats(w_);
  if (!prepared || !is_prepared_) algorithm_.prepare(problem_, pass_, floats(w_), floats(prepared_));
  is_prepared_ = true;
  return floats(prepared_);
}

double Conv2dRun::seconds(bool prepared) {
  if (prepared) weights(true);
  const auto start = std::chrono::steady_clock::now();
  switch (pass_) {
    case Conv2dPass::forward:
      algorithm_.forward(problem_, floats(x_), weights(prepared),
                         {.bias = floats(b_), .activation = {.kind = Activation::Kind::relu}}, floats(y_), scratch_);
      break;
    case Conv2dPass::backward_data:
      algorithm_.backward_data(problem_, floats(y_), weights(prepared), floats(x_), scratch_);
      break;
    case Conv2dPass::backward_weights:
      algorithm_.backward_weights(problem_, floats(x_), floats(y_), floats(w_), scratch_);
      break;
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace fastcnn
