// What a call says when it throws.
#pragma once

#include <string>

#include "core/error.h"

namespace fastcnn::testing {

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing thrown";
}

}  // namespace fastcnn::testing
