// Optimisers' rules on the CPU: one pass over memory per parameter, in parallel; a second one where filters have a norm.
#pragma once

#include <span>

#include "core/gradient_pieces.h"
#include "graph/update_rule.h"

namespace fastcnn {

// One loop over the pieces of all parameters: many small ones cost no more wake-ups than a large one.
void update_parameters(std::span<const ParameterStep> steps);

// The same, for a gradient that comes in pieces, whose own of `step` isn't looked at; on any thread, and in the end once.
void update_piece(const ParameterStep& step, const GradientPiece& piece);
void finish_pieces(const ParameterStep& step);

}  // namespace fastcnn
