// What the core throws. The bindings turn each into the Python exception named beside it.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>

namespace fastcnn {

// Base of all; RuntimeError in Python.
class Error : public std::runtime_error {
 public:
  // `input`: which input of an op the message speaks of, where it is one.
  explicit Error(const std::string& message, std::optional<int> input = {})
      : std::runtime_error(message), input_(input) {}

  std::optional<int> input() const { return input_; }

 private:
  std::optional<int> input_;
};

// Extents that don't fit together; ValueError.
class ShapeError : public Error {
 public:
  using Error::Error;
};

// An argument out of its range; ValueError.
class ValueError : public Error {
 public:
  using Error::Error;
};

// An element type that the operation doesn't take; TypeError.
class DTypeError : public Error {
 public:
  using Error::Error;
};

// Something this build or this CPU lacks; RuntimeError.
class UnsupportedError : public Error {
 public:
  using Error::Error;
};

}  // namespace fastcnn
