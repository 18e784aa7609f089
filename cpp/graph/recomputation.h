// Which values training drops when the forward pass has read them, to make them again in the backward pass.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace fastcnn {

enum class Recomputed { cheap, cheap_and_affordable };

// Per value. `kept`: what lives from the forward into the backward pass if nothing is dropped; `fixed`: what
// stays in any case, for the caller. A value is dropped when its op is cheap, or affordable: one of the few
// products that a hundredth of the step's cost pays for, and its inputs are there: kept, or dropped themselves,
// in a chain that is not long. So of residual blocks, whose outputs rest on one another, every few keep theirs
// (Chen, Xu, Zhang and Guestrin, "Training deep nets with sublinear memory cost", 2016).
std::vector<bool> find_dropped(const Graph& graph, const std::vector<bool>& kept, const std::vector<bool>& fixed,
                               Recomputed recomputed);

}  // namespace fastcnn
