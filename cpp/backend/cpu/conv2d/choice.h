// One pass of one convolution with the algorithm that does it, for the kernels that are made of such passes.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "backend/cpu/conv2d/algorithm.h"

namespace fastcnn {

template <class T>
struct Conv2dChoice {
  // Throws as choose_conv2d_algorithm.
  Conv2dChoice(const Conv2dSelection& selection, const Conv2dProblem& problem, Conv2dPass kind)
      : p(problem),
        pass(kind),
        algorithm(choose_conv2d_algorithm<T>(selection, p, pass, &passed_over)),
        weight_bytes(static_cast<std::size_t>(algorithm.prepared_elements(p, pass)) * sizeof(T)),
        scratch(algorithm.scratch(p, pass)) {}

  // With room for weights that nobody prepared.
  ScratchSize scratch_with_weights() const {
    return {.shared = align_up(weight_bytes) + scratch.shared, .per_thread = scratch.per_thread};
  }
  void prepare(const T* w, T* prepared) const { algorithm.prepare(p, pass, w, prepared); }
  // The weights as the algorithm reads them, and the scratch that is left.
  std::pair<const T*, Scratch> weights(const T* w, const T* prepared, const Scratch& room) const {
    if (weight_bytes == 0) return {w, room};
    if (prepared != nullptr) return {prepared, room};
    prepare(w, room.template shared<T>());
    return {room.template shared<T>(), room.after(weight_bytes)};
  }
  // What prepare() depends on. Whether weights are packed may depend on the number of pixels; the weights of backward_data
  // may also be cut as the images are, those of forward are not.
  std::string prepared_form() const {
    std::string form(algorithm.name());
    form.append(" ").append(name_of(pass)).append(" ").append(name_of(dtype_of<T>));
    for (const std::int64_t extent : {p.c_in, p.c_out, p.groups, p.k_h, p.k_w, p.stride_h, p.stride_w, p.pad_h, p.pad_w,
                                      p.dilation_h, p.dilation_w})
      form.append(" ").append(std::to_string(extent));
    form.append(" ").append(std::to_string(weight_bytes));
    if (pass == Conv2dPass::forward) return form;
    for (const std::int64_t extent : {p.n, p.h_in, p.w_in, p.h_out, p.w_out}) form.append(" ").append(std::to_string(extent));
    return form;
  }
  // `part`: what it is of the op.
  AlgorithmChoice explanation(Conv2dPass part) const {
    return {.part = std::string(name_of(part)), .name = std::string(algorithm.name()), .passed_over = passed_over};
  }

  Conv2dProblem p;
  Conv2dPass pass;
  std::vector<std::pair<std::string, std::string>> passed_over;
  const Conv2dAlgorithm<T>& algorithm;
  std::size_t weight_bytes;  // of the prepared weights; 0: it reads them as they are stored
  ScratchSize scratch;
};

}  // namespace fastcnn
