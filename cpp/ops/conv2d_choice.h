// One pass of one convolution with the algorithm that does it, for the ops that are made of such passes.
#pragma once

#include <utility>

#include "ops/conv2d_algorithm.h"

namespace fastcnn {

template <class T>
struct Conv2dChoice {
  Conv2dChoice(const Conv2dSelection& selection, const Conv2dProblem& problem, Conv2dPass kind)
      : p(problem),
        pass(kind),
        algorithm(choose_conv2d_algorithm<T>(selection, p, pass)),
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

  const Conv2dProblem& p;
  Conv2dPass pass;
  const Conv2dAlgorithm<T>& algorithm;
  std::size_t weight_bytes;  // of the prepared weights; 0: it reads them as they are stored
  ScratchSize scratch;
};

}  // namespace fastcnn
