// What the ops' infer() functions have in common. Each check throws with what came and what was expected; `input`,
// where given, is the one that the error is about.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "ops/op.h"

namespace fastcnn {

// Whether input i was given: an absent optional input is missing or has rank 0.
inline bool is_present(Specs x, std::size_t i) { return i < x.size() && x[i].shape.rank() > 0; }

// Throws ShapeError: "got 3 inputs, expected 1 (x)".
void check_inputs(Specs x, std::size_t min, std::size_t max, std::string_view names);

// Throws DTypeError: "input has type int64, expected float32 or float64".
void check_floating(const Spec& spec);
void check_floating(const Spec& spec, std::string_view name, std::optional<int> input = {});

// Throws DTypeError: "bias has type float64, expected float32, as input".
void check_same_dtype(const Spec& spec, std::string_view name, const Spec& other, std::string_view other_name,
                      std::optional<int> input = {});

// Throws ShapeError: "input has rank 2, expected 4 (n, c, h, w); got (8, 10)".
void check_rank(const Spec& spec, int rank, std::string_view axes);
void check_rank(const Spec& spec, int rank, std::string_view axes, std::string_view name,
                std::optional<int> input = {});

// Throws ShapeError: "target has shape (4, 3), expected (4, 2), as input".
void check_same_shape(const Spec& spec, std::string_view name, const Spec& other, std::string_view other_name,
                      std::optional<int> input = {});

// Throws ValueError: "eps is -1, expected at least 0".
void check_eps(double eps);

// Throws ShapeError, DTypeError unless inputs 1 and 2, gamma and beta, have this shape and the type of x[0] or are
// absent.
void check_gamma_beta(Specs x, const Shape& expected);

// Throws DTypeError, ShapeError unless there are at least `min` inputs, all of the first one's shape and
// floating-point type: "input 2 has shape (4, 3), expected (4, 2), as input 0".
void check_same(Specs x, std::size_t min);

// Throws ValueError unless RandomState::stream takes it: "stream must lie between 0 and 2^23 - 1, got -1".
void check_random_stream(std::int64_t stream);

// The axis counted from the front. Throws ValueError when the rank doesn't have it.
int check_axis(std::int64_t axis, int rank);

}  // namespace fastcnn
