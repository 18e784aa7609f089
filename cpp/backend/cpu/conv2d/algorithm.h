// The ways to compute a convolution, in the order in which they are asked. One file each:
// <name>.cpp; the list is in algorithm.cpp, when to pass one over in rules.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/cpu/gemm.h"
#include "backend/cpu/ops/batch_statistics.h"
#include "graph/kernel.h"
#include "ops/conv2d_extents.h"

namespace fastcnn {

// One convolution, stored channels-last; none of its extents is 0. Products that the algorithms leave to a GEMM go to
// the provider that was chosen with them.
struct Conv2dProblem : Conv2dExtents {
  GemmProvider gemm = gemm_provider();
};

enum class Conv2dPass { forward, backward_data, backward_weights };
inline constexpr Conv2dPass conv2d_passes[] = {Conv2dPass::forward, Conv2dPass::backward_data,
                                               Conv2dPass::backward_weights};

std::string_view name_of(Conv2dPass pass);

// Stateless. Each pass may be refused on its own; calling a refused one is a bug.
template <class T>
class Conv2dAlgorithm {
 public:
  virtual ~Conv2dAlgorithm() = default;
  virtual std::string_view name() const = 0;
  // Why it can't do this pass of this problem; empty when it can. What it could do but others do faster is for rules.h
  // to say.
  virtual std::string_view refusal(const Conv2dProblem&, Conv2dPass) const { return {}; }
  virtual ScratchSize scratch(const Conv2dProblem&, Conv2dPass) const { return {}; }
  // Elements of the weights in the form that the pass reads, packed or transformed; 0: as they are stored.
  virtual std::int64_t prepared_elements(const Conv2dProblem&, Conv2dPass) const { return 0; }
  // Makes that form. Where there is one, it is what the pass gets as its w.
  virtual void prepare(const Conv2dProblem&, Conv2dPass, const T* /*w*/, T* /*prepared*/) const {}

  // Into how many parts, runs of pixels, forward cuts y to gather the batch statistics of each while it is in the cache;
  // 0: it can't.
  virtual std::int64_t statistics_parts(const Conv2dProblem&) const { return 0; }

  // y = f(x * w + bias). Gathers `statistics`, of statistics_parts() parts, unless they are null.
  virtual void forward(const Conv2dProblem& p, const T* x, const T* w, const GemmEpilogue<T>& epilogue, T* y,
                       const Scratch& scratch, const BatchStatistics<T>* statistics = nullptr) const = 0;
  // dx, written in full; dy is the gradient before bias and activation.
  virtual void backward_data(const Conv2dProblem& p, const T* dy, const T* w, T* dx,
                             const Scratch& scratch) const = 0;
  // dw, written in full.
  virtual void backward_weights(const Conv2dProblem& p, const T* x, const T* dy, T* dw,
                                const Scratch& scratch) const = 0;
};

template <class T>
std::span<const Conv2dAlgorithm<T>* const> conv2d_algorithms();

// The algorithms that "auto" may use now, as bits: all, unless FASTCNN_CONV or set_conv2d_algorithms said otherwise.
// Throws what that throws, for FASTCNN_CONV.
std::uint32_t allowed_conv2d_algorithms();

// The algorithms that one convolution may use.
class Conv2dSelection {
 public:
  // "auto": the `allowed` ones, bit i for the i-th of conv2d_algorithms. Else the one of that name, whatever the rules
  // say. Throws ValueError for a name that no algorithm has.
  explicit Conv2dSelection(std::string_view name = "auto", std::uint32_t allowed = allowed_conv2d_algorithms());

  bool is_auto() const { return is_auto_; }
  bool allows(std::size_t index) const { return (allowed_ >> index & 1U) != 0; }  // into conv2d_algorithms

 private:
  std::uint32_t allowed_;
  bool is_auto_;
};

// What "auto" may use from now on: "auto" for every algorithm; names, separated by commas, for these
// alone; names with a minus in front for all but these. A name stands for all that begin with it and an
// underscore, too. Where none of them takes a pass, im2col does. At the start FASTCNN_CONV is asked.
// Throws ValueError for a name that no algorithm has.
void set_conv2d_algorithms(std::string_view names);
// Those that "auto" may use now, as set_conv2d_algorithms takes them.
std::string allowed_conv2d_algorithm_names();

// The first of the list that is selected, takes the pass and, in "auto", has no rule against it. Throws
// ValueError when the one named refuses, with its reason. `passed_over`, when given, gets the names of those before it
// and why each was passed over.
template <class T>
const Conv2dAlgorithm<T>& choose_conv2d_algorithm(
    const Conv2dSelection& selection, const Conv2dProblem& p, Conv2dPass pass,
    std::vector<std::pair<std::string, std::string>>* passed_over = nullptr);

// One per <name>.cpp.
template <class T>
const Conv2dAlgorithm<T>& conv2d_depthwise();
template <class T>
const Conv2dAlgorithm<T>& conv2d_pointwise();
template <class T>
const Conv2dAlgorithm<T>& conv2d_winograd_4x3();
template <class T>
const Conv2dAlgorithm<T>& conv2d_winograd_2x3();
template <class T>
const Conv2dAlgorithm<T>& conv2d_winograd_4x5();
template <class T>
const Conv2dAlgorithm<T>& conv2d_winograd_2x5();
template <class T>
const Conv2dAlgorithm<T>& conv2d_implicit();
template <class T>
const Conv2dAlgorithm<T>& conv2d_im2col();
template <class T>
const Conv2dAlgorithm<T>& conv2d_reference();

}  // namespace fastcnn
