// What the core throws. The bindings turn each into the Python exception named beside it.
#pragma once

#include <stdexcept>
#include <string>

namespace fastcnn {

// Base of all; RuntimeError in Python.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
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
