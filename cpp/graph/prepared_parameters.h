// What kernels have made of parameters for inference, such as packed weights. Plans whose kernels pack alike share it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/parameter.h"
#include "graph/backend.h"

namespace fastcnn {

// The one that a forward step reads, by one thread at a time; the parameters must outlive it.
class PreparedParameters {
 public:
  // x: the inputs of the step, of which the kernel reads those that are `parameters` (null for others).
  PreparedParameters(const Backend& backend, const Kernel& kernel, std::vector<ConstView> x,
                     std::vector<const Parameter*> parameters);

  // As the parameters are now. It stays the same memory while they don't change.
  const std::byte* update(Stream& stream);

 private:
  struct Shared;

  std::uint64_t version() const;
  std::shared_ptr<const Shared> make(std::uint64_t version, Stream& stream);

  const Backend& backend_;
  const Kernel& kernel_;
  std::vector<ConstView> x_;
  std::vector<const Parameter*> parameters_;
  std::shared_ptr<const Shared> current_;
  bool is_current_ = false;
};

}  // namespace fastcnn
