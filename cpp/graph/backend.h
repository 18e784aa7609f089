// A device, and the choices that its user made, as they were when the backend was asked for: the same backend always
// makes the same kernels.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "core/allocator.h"
#include "graph/arena_pool.h"
#include "graph/kernel.h"
#include "graph/update_rule.h"
#include "ops/op.h"

namespace fastcnn {

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;  // "cpu"

  // The kernel for one pass of an op on inputs of these specs; null where it has none for their types. Throws
  // ShapeError, ValueError for what can't be computed so, such as an algorithm by name that refuses.
  virtual std::unique_ptr<Kernel> make(const OpPtr& op, Pass pass, Specs x) const = 0;

  virtual std::unique_ptr<Stream> make_stream() const = 0;
  virtual Buffer allocate(std::size_t bytes) const = 0;  // of the device, zeroed
  virtual ArenaPool& arenas() const = 0;                 // of the device: all backends of one device share it
  virtual void copy(void* to, const void* from, std::size_t bytes, Stream& stream) const = 0;
  virtual void fill(View y, double value, Stream& stream) const = 0;
  virtual void accumulate(ConstView x, View y, Stream& stream) const = 0;  // y += x
  virtual bool is_finite(ConstView x, Stream& stream) const = 0;           // every element; waits for it

  // What optimisers do, all parameters at once; or for one whose gradient comes in pieces, on any thread, and in the end
  // once (only after a kernel has given pieces).
  virtual void update(std::span<const ParameterStep> steps, Stream& stream) const = 0;
  virtual void update_piece(const ParameterStep& step, const GradientPiece& piece) const = 0;
  virtual void finish_pieces(const ParameterStep& step) const = 0;

  // Calls body with the device ready for a run of steps: kernels get working memory for so many workers.
  virtual int workers() const = 0;
  virtual void run(int workers, const std::function<void()>& body) const = 0;
};

using BackendPtr = std::shared_ptr<const Backend>;

}  // namespace fastcnn
