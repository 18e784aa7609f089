// Puts words in front of an error's message without changing its type.
#pragma once

#include <string>

#include "core/error.h"

namespace fastcnn {

// To be called in a catch block: throws the exception in flight again, with describe(error) as its
// message when it is one of core/error.h, and as it is otherwise.
template <class Describe>
[[noreturn]] void rethrow_with(Describe&& describe) {
  try {
    throw;
  } catch (const ShapeError& e) {
    throw ShapeError(describe(e), e.input());
  } catch (const ValueError& e) {
    throw ValueError(describe(e), e.input());
  } catch (const DTypeError& e) {
    throw DTypeError(describe(e), e.input());
  } catch (const UnsupportedError& e) {
    throw UnsupportedError(describe(e), e.input());
  } catch (const Error& e) {
    throw Error(describe(e), e.input());
  }
}

}  // namespace fastcnn
