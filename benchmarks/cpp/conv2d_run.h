// One pass of one convolution by one algorithm, ready to be timed.
#pragma once

#include "conv2d_layers.h"
#include "core/allocator.h"

namespace fastcnn {

class Conv2dRun {
 public:
  Conv2dRun(const Conv2dAlgorithm<float>& algorithm, const Conv2dProblem& problem, Conv2dPass pass);

  // Seconds of the pass, with bias and ReLU in forward; with preparing the weights, as a training step has
  // to, unless they are `prepared` before.
  double seconds(bool prepared = false);

 private:
  float* weights(bool prepared);

  const Conv2dAlgorithm<float>& algorithm_;
  const Conv2dProblem problem_;
  const Conv2dPass pass_;
  Buffer x_, w_, b_, y_, prepared_, shared_, per_thread_;
  Scratch scratch_;
  bool is_prepared_ = false;
};

}  // namespace fastcnn
