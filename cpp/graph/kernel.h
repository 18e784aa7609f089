// How an op is computed: a kernel is one planned step on one device. Which algorithm it is and of what sizes was
// decided when it was made; running it decides nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/allocator.h"
#include "core/gradient_pieces.h"
#include "core/random.h"
#include "core/tensor.h"

namespace fastcnn {

// What a step does of its op: forward at inference, where kernels may prepare() parameters ahead; forward in training;
// the same outputs once more in the backward pass, from what forward saved; backward.
enum class Pass { inference, forward, recompute, backward };

// Bytes of uninitialised working memory during one run.
struct ScratchSize {
  std::size_t shared = 0;
  std::size_t per_thread = 0;
};

// Working memory of one run; both parts 64-byte aligned.
class Scratch {
 public:
  Scratch() = default;
  Scratch(std::byte* shared, std::byte* per_thread, std::size_t stride)
      : shared_(shared), per_thread_(per_thread), stride_(stride) {}
  // What follows the first `bytes` of the shared part, rounded up to its alignment.
  Scratch after(std::size_t bytes) const { return {shared_ + align_up(bytes), per_thread_, stride_}; }
  template <class T>
  T* shared() const {
    return reinterpret_cast<T*>(shared_);
  }
  // `worker` as parallel_for hands it out.
  template <class T>
  T* of_worker(int worker) const {
    return reinterpret_cast<T*>(per_thread_ + static_cast<std::size_t>(worker) * stride_);
  }

 private:
  std::byte* shared_ = nullptr;
  std::byte* per_thread_ = nullptr;
  std::size_t stride_ = 0;
};

// Bytes that a kernel takes beside its operands.
struct Memory {
  ScratchSize scratch{};
  // Of what prepare() makes of the parameters, such as packed weights: once for each state of them, where the inputs that
  // it reads (bit i: input i) are parameters. At inference only.
  std::size_t prepared = 0;
  std::uint32_t prepared_from = 0;
  // Of the batch statistics of y that a run in training can gather while it writes y; 0 where it can't, or where a
  // pass over y afterwards is as fast.
  std::size_t statistics = 0;
};

// What is the same for every step of one run.
struct RunContext {
  bool training = false;
  RandomState random;
};

// The operands of one run. Views without data: an absent optional input, a gradient that is not wanted or that doesn't
// arrive, and in backward what Needs doesn't ask for (parameters are always there).
struct StepArgs {
  std::span<const ConstView> x;
  std::span<const View> y;  // outputs: written by forward, read by backward
  void* saved = nullptr;       // Needs::saved_bytes, written by forward for backward; null at inference
  std::span<const View> dy{};  // of each output; may be overwritten
  std::span<const View> dx{};  // of each input; written in full, never added to
  Scratch scratch{};
  const RunContext* run = nullptr;
  const std::byte* prepared = nullptr;  // what prepare() made of the parameters as they are now
  std::span<const View> state{};        // in training, the inputs that Op::updates names; no data for the others
  // In training: the batch statistics of x[0], where the kernel reads them and its producer gathered them; those of
  // y[0], where they are wanted. Else null.
  const std::byte* statistics_of_x = nullptr;
  std::byte* statistics_of_y = nullptr;
  GradientPieces* pieces = nullptr;  // of the input that gives_pieces() names, instead of its dx; null: not wanted
};

// The order of work on a device. What the host runs is done when run() returns.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual void synchronize() {}  // waits until all of it is done
};

// One part of a step for which there are several ways to compute it.
struct AlgorithmChoice {
  std::string part;  // "forward", "backward_data", ...
  std::string name;
  std::vector<std::pair<std::string, std::string>> passed_over;  // those before it in the list, and why
};

class Kernel {
 public:
  virtual ~Kernel() = default;

  virtual Memory memory() const { return {}; }
  // Whether y[0] may take the memory of x[0], or dx[0] that of dy[0].
  virtual bool in_place() const { return false; }
  // Whether a run in training reads the batch statistics of x[0], and computes them itself where nobody gathered them.
  virtual bool reads_statistics() const { return false; }
  // The input, a parameter, whose gradient a backward step can give in pieces after its last use of the input's value;
  // -1: none, or it is so small that it stays in the caches as a whole.
  virtual int gives_pieces() const { return -1; }
  virtual std::vector<AlgorithmChoice> algorithms() const { return {}; }

  // Fills Memory::prepared bytes; x has data for parameters only. Kernels that say the same form make the same bytes of
  // the same parameters, and share them.
  virtual void prepare(std::span<const ConstView> /*x*/, std::byte* /*prepared*/, Stream&) const {}
  virtual std::string prepared_form() const { return {}; }
  virtual void run(const StepArgs& args, Stream& stream) const = 0;
};

}  // namespace fastcnn
