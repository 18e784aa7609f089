// The ways to compute a convolution, in the order in which they are asked. One file each:
// conv2d_<name>_cpu.cpp; the list is in conv2d_algorithm.cpp, when to pass one over in conv2d_rules.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cpu/gemm.h"
#include "cpu/windows.h"
#include "ops/channel_moments.h"
#include "ops/op.h"

namespace fastcnn {

// All extents of one convolution; none is 0. x (n, c_in, h_in, w_in), w (c_out, c_in/groups, k_h, k_w),
// y (n, c_out, h_out, w_out), stored channels-last (core/tensor.h).
struct Conv2dProblem : Windows2d {
  std::int64_t n = 0;
  std::int64_t c_in = 0;
  std::int64_t c_out = 0;
  std::int64_t groups = 1;

  std::int64_t group_in() const { return c_in / groups; }
  std::int64_t group_out() const { return c_out / groups; }
  std::int64_t taps() const { return k_h * k_w; }
  std::int64_t depth() const { return taps() * group_in(); }  // products summed in one element of y
  std::int64_t pixels() const { return n * h_out * w_out; }
  std::int64_t weights() const { return c_out * depth(); }
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
  // Why it can't do this pass of this problem; empty when it can. A literal: it is asked at each run. What
  // it could do but others do faster is for conv2d_rules.h to say.
  virtual std::string_view refusal(const Conv2dProblem&, Conv2dPass) const { return {}; }
  virtual ScratchSize scratch(const Conv2dProblem&, Conv2dPass) const { return {}; }
  // Elements of the weights in the form that the pass reads, packed or transformed; 0: as they are stored.
  virtual std::int64_t prepared_elements(const Conv2dProblem&, Conv2dPass) const { return 0; }
  // Makes that form. Where there is one, it is what the pass gets as its w.
  virtual void prepare(const Conv2dProblem&, Conv2dPass, const T* /*w*/, T* /*prepared*/) const {}

  // Into how many parts, runs of pixels, forward cuts y to gather the moments of each while it is in the cache;
  // 0: it can't.
  virtual std::int64_t moments_parts(const Conv2dProblem&) const { return 0; }

  // y = f(x * w + bias). Gathers `moments`, of moments_parts() parts, unless they are null.
  virtual void forward(const Conv2dProblem& p, const T* x, const T* w, const Epilogue<T>& epilogue, T* y,
                       const Scratch& scratch, const ChannelMoments<T>* moments = nullptr) const = 0;
  // dx, written in full; dy is the gradient before bias and activation.
  virtual void backward_data(const Conv2dProblem& p, const T* dy, const T* w, T* dx,
                             const Scratch& scratch) const = 0;
  // dw, written in full.
  virtual void backward_weights(const Conv2dProblem& p, const T* x, const T* dy, T* dw,
                                const Scratch& scratch) const = 0;
};

template <class T>
std::span<const Conv2dAlgorithm<T>* const> conv2d_algorithms();

// The algorithms that one convolution may use.
class Conv2dSelection {
 public:
  // "auto": those that set_conv2d_algorithms allows now. Else the one of that name, whatever the rules
  // say. Throws ValueError for a name that no algorithm has.
  explicit Conv2dSelection(std::string_view name = "auto");

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
// Those that "auto" may use now, as set_conv2d_algorithms takes them. Throws what it throws, for FASTCNN_CONV.
std::string allowed_conv2d_algorithms();

// The first of the list that is selected, takes the pass and, in "auto", has no rule against it. Throws
// ValueError when the one named refuses, with its reason. `why`, when given, gets "name: reason" of those
// passed over, separated by "; ".
template <class T>
const Conv2dAlgorithm<T>& choose_conv2d_algorithm(const Conv2dSelection& selection, const Conv2dProblem& p,
                                                  Conv2dPass pass, std::string* why = nullptr);

// The algorithms of these passes, which an op uses for its forward, backward_data and backward_weights: "im2col" where it
// is one for all, else "forward depthwise, backward_data im2col (depthwise: reason), ...".
template <class T>
std::string explain_conv2d_choices(const Conv2dSelection& selection, const Conv2dProblem& p,
                                   std::span<const Conv2dPass, 3> passes);

// One per conv2d_<name>_cpu.cpp.
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
