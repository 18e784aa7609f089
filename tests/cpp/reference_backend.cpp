#include "reference_backend.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "core/thread_pool.h"
#include "reference/update.h"
#include "reference_kernels.h"

namespace fastcnn::testing {
namespace {

class ReferenceBackend final : public Backend {
 public:
  std::string_view name() const override { return "reference"; }

  std::unique_ptr<Kernel> make(const OpPtr& op, Pass pass, Specs x) const override {
    return make_reference_kernel(op, pass, x);
  }

  std::unique_ptr<Stream> make_stream() const override { return std::make_unique<Stream>(); }
  Buffer allocate(std::size_t bytes) const override {
    Buffer buffer = fastcnn::allocate(bytes);
    std::memset(buffer.get(), 0xff, bytes);
    return buffer;
  }
  ArenaPool& arenas() const override {
    static ArenaPool pool([](std::size_t bytes) { return ReferenceBackend().allocate(bytes); });
    return pool;
  }
  void copy(void* to, const void* from, std::size_t bytes, Stream&) const override { std::memcpy(to, from, bytes); }
  void fill(View y, double value, Stream&) const override {
    dispatch_floating(y.spec.dtype,
                      [&]<class T>() { std::fill_n(y.as<T>(), y.spec.shape.numel(), static_cast<T>(value)); });
  }
  void accumulate(ConstView x, View y, Stream&) const override {
    dispatch_floating(y.spec.dtype, [&]<class T>() {
      for (std::int64_t i = 0; i < y.spec.shape.numel(); ++i) y.as<T>()[i] += x.as<T>()[i];
    });
  }
  bool is_finite(ConstView x, Stream&) const override {
    return dispatch_floating(x.spec.dtype, [&]<class T>() {
      return std::all_of(x.as<T>(), x.as<T>() + x.spec.shape.numel(), [](T value) { return std::isfinite(value); });
    });
  }
  void update(std::span<const ParameterStep> steps, Stream&) const override {
    for (const ParameterStep& step : steps) reference::update(step);
  }
  void update_piece(const ParameterStep& step, const GradientPiece& piece) const override {
    dispatch_floating(step.value.spec.dtype, [&]<class T>() {
      const std::int64_t row_elements = step.value.spec.shape.numel() / step.value.spec.shape[0];
      for (std::int64_t i = 0; i < piece.rows; ++i)
        for (std::int64_t j = 0; j < piece.cols; ++j)
          reference::update_element(step, (piece.row + i) * row_elements + piece.col + j,
                                    static_cast<const T*>(piece.data)[i * piece.ld + j]);
    });
  }
  void finish_pieces(const ParameterStep& step) const override { reference::constrain(step); }
  int workers() const override { return 1; }
  void run(int workers, const std::function<void()>& body) const override {
    const ThreadLimit limit(workers);
    body();
  }
};

}  // namespace

BackendPtr reference_backend() { return std::make_shared<const ReferenceBackend>(); }

}  // namespace fastcnn::testing
