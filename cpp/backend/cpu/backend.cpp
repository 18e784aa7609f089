#include "backend/cpu/backend.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>

#include "backend/cpu/kernels.h"
#include "backend/cpu/registry.h"
#include "backend/cpu/update.h"
#include "core/parallel.h"
#include "core/thread_pool.h"

namespace fastcnn {
namespace {

// The types that kernels are compiled for. An op that reads indices checks where they stand.
bool has_kernels_for(DType dtype) {
  return dtype == DType::float32 || dtype == DType::float64 || dtype == DType::int64;
}

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(const Policy& policy) : policy_(policy) {}

  const Policy& policy() const { return policy_; }
  std::string_view name() const override { return "cpu"; }

  std::unique_ptr<Kernel> make(const OpPtr& op, Pass pass, Specs x) const override {
    KernelMaker* const maker = find_kernel_maker(op->kind());
    const bool known = std::ranges::all_of(x, [](const Spec& spec) { return has_kernels_for(spec.dtype); });
    return maker != nullptr && known ? maker({op, pass, x, policy_}) : nullptr;
  }

  std::unique_ptr<Stream> make_stream() const override { return std::make_unique<Stream>(); }
  Buffer allocate(std::size_t bytes) const override { return fastcnn::allocate(bytes); }
  ArenaPool& arenas() const override {
    static ArenaPool pool(fastcnn::allocate);
    return pool;
  }

  void copy(void* to, const void* from, std::size_t bytes, Stream&) const override { std::memcpy(to, from, bytes); }

  void fill(View y, double value, Stream&) const override {
    dispatch_floating(y.spec.dtype,
                      [&]<class T>() { std::fill_n(y.as<T>(), y.spec.shape.numel(), static_cast<T>(value)); });
  }

  void accumulate(ConstView x, View y, Stream&) const override {
    dispatch_floating(y.spec.dtype, [&]<class T>() {
      const T* source = x.as<T>();
      T* sum = y.as<T>();
      parallel_ranges(y.spec.shape.numel(), 3 * sizeof(T), [&](std::int64_t begin, std::int64_t end) {
        kernels<T>().add(sum + begin, source + begin, sum + begin, end - begin);
      });
    });
  }

  bool is_finite(ConstView x, Stream&) const override {
    return dispatch_floating(x.spec.dtype, [&]<class T>() {
      const T* values = x.as<T>();
      return std::all_of(values, values + x.spec.shape.numel(), [](T value) { return std::isfinite(value); });
    });
  }

  void update(std::span<const ParameterStep> steps, Stream&) const override { update_parameters(steps); }
  void update_piece(const ParameterStep& step, const GradientPiece& piece) const override {
    fastcnn::update_piece(step, piece);
  }
  void finish_pieces(const ParameterStep& step) const override { fastcnn::finish_pieces(step); }

  int workers() const override { return thread_count(); }

  void run(int workers, const std::function<void()>& body) const override {
    const ThreadLimit limit(workers);
    const FlushDenormals flush;
    body();
  }

 private:
  Policy policy_;
};

}  // namespace

BackendPtr cpu_backend(const Policy& policy) {
  static std::mutex mutex;
  static std::shared_ptr<const CpuBackend> latest;
  const std::lock_guard lock(mutex);
  if (latest == nullptr || latest->policy() != policy) latest = std::make_shared<const CpuBackend>(policy);
  return latest;
}

}  // namespace fastcnn
