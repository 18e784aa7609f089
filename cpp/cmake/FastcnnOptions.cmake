# Every option of the build, and what each may be. A wrong value stops here, with the values that are right.

# fastcnn_choice(<variable> <default> <help> <value>...)
function(fastcnn_choice variable default help)
  set(${variable} "${default}" CACHE STRING "${help}: ${ARGN}")
  set_property(CACHE ${variable} PROPERTY STRINGS "${ARGN}")
  if(NOT "${${variable}}" IN_LIST ARGN)
    list(JOIN ARGN ", " _values)
    message(FATAL_ERROR "${variable}=\"${${variable}}\": expected one of: ${_values}")
  endif()
endfunction()

set(_default_blas OpenBLAS)
if(APPLE)
  set(_default_blas Accelerate)
endif()
fastcnn_choice(FASTCNN_BLAS ${_default_blas} "BLAS that the GEMM seam links" OpenBLAS MKL Accelerate OFF)
fastcnn_choice(FASTCNN_CUDA OFF "CUDA backend" OFF ON AUTO)
fastcnn_choice(FASTCNN_SANITIZE OFF "Sanitizers for all C++ code" OFF address undefined address,undefined thread)
option(FASTCNN_BUILD_PYTHON "Build the Python extensions" ON)
option(FASTCNN_BUILD_TESTS "Build the C++ tests (GoogleTest)" OFF)
option(FASTCNN_BUILD_BENCHMARKS "Build the C++ benchmarks (Google Benchmark)" OFF)
option(FASTCNN_FETCH_DEPENDENCIES "Download GoogleTest and Google Benchmark where they are not installed" OFF)

if(FASTCNN_CUDA STREQUAL "ON")
  message(FATAL_ERROR "FASTCNN_CUDA=ON: the CUDA backend is not there yet (see cpp/backend/cuda/README.md). "
    "Choose FASTCNN_CUDA=OFF, or AUTO to take it as soon as it is.")
elseif(FASTCNN_CUDA STREQUAL "AUTO")
  message(STATUS "FASTCNN_CUDA=AUTO: built without CUDA, the backend is not there yet (see cpp/backend/cuda/README.md)")
endif()

# The kernels are written with the vector extensions of GCC and Clang.
if(NOT CMAKE_CXX_COMPILER_ID MATCHES "^(GNU|Clang|AppleClang|IntelLLVM)$")
  message(FATAL_ERROR "${CMAKE_CXX_COMPILER_ID} compiler: fastcnn needs GCC 12 or Clang 14, or newer. "
    "On Windows use clang-cl: -G Ninja -DCMAKE_CXX_COMPILER=clang-cl, or -T ClangCL with Visual Studio.")
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 12)
  message(FATAL_ERROR "GCC ${CMAKE_CXX_COMPILER_VERSION}: fastcnn needs GCC 12 or newer")
endif()
