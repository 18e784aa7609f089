#pragma once

#include <gtest/gtest.h>

namespace fastcnn {

// For death tests of what is chosen once per process: each runs in a new one, which has not chosen yet. An emulated
// process can't start another; there, a fork does as well, since GoogleTest runs death tests before all others.
inline void run_death_tests_in_new_processes() {
#if !defined(FASTCNN_EMULATED)
  testing::FLAGS_gtest_death_test_style = "threadsafe";
#endif
}

}  // namespace fastcnn
