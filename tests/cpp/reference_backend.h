// A second backend, as small as can be: plain loops on one thread, for the ops that the tests of the graph use. It
// includes nothing of backend/, and so shows what a device needs to know.
#pragma once

#include "graph/backend.h"

namespace fastcnn::testing {

// Its memory holds NaNs before it is written.
BackendPtr reference_backend();

}  // namespace fastcnn::testing
