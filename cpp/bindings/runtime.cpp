// Threads, instruction sets, GEMM providers, and what this build is.
#include "bindings/convert.h"
#include "core/thread_pool.h"
#include "backend/cpu/conv2d/algorithm.h"
#include "backend/cpu/gemm.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/measure.h"
#include "backend/cpu/policy.h"

namespace fastcnn::bindings {
namespace {

template <class Values>
py::list names_of(const Values& values) {
  py::list names;
  for (const auto value : values) {
    const std::string_view name = name_of(value);
    names.append(py::str(name.data(), name.size()));
  }
  return names;
}

GemmProvider to_provider(std::string_view name) {
  std::string known;
  for (const GemmProvider provider : available_gemm_providers()) {
    if (name_of(provider) == name) return provider;
    known += (known.empty() ? "" : ", ") + std::string(name_of(provider));
  }
  throw ValueError("no GEMM provider \"" + std::string(name) + "\" in this build; it has " + known);
}

}  // namespace

void bind_runtime(py::module_& module) {
  module.attr("__version__") = FASTCNN_VERSION;
  module.attr("COMPILER") = FASTCNN_COMPILER;
  module.attr("BLAS") = FASTCNN_BLAS;

  module.def("num_threads", [] {
    const ThreadCount count = num_threads();
    return py::make_tuple(count.threads, count.reason);
  });
  module.def("set_num_threads", &set_num_threads, py::arg("threads"), py::call_guard<py::gil_scoped_release>());

  module.def("active_isa", [] { return std::string(name_of(active_isa())); });
  module.def("available_isas", [] { return names_of(available_isas()); });

  module.def("conv_algorithms", &allowed_conv2d_algorithm_names);
  module.def("set_conv_algorithms", &set_conv2d_algorithms, py::arg("names"));

  module.def("gemm_provider", [] { return std::string(name_of(gemm_provider())); });
  module.def("available_gemm_providers", [] { return names_of(available_gemm_providers()); });
  module.def(
      "set_gemm_provider", [](std::string_view name) { set_gemm_provider(to_provider(name)); }, py::arg("name"));
  module.def(
      "gemm_provider_details", [](std::string_view name) { return gemm_provider_details(to_provider(name)); },
      py::arg("name"));

  // What plans depend on besides their graph, as one number: those made under another are not to be used.
  module.def("policy", [] {
    const Policy policy = current_policy();
    return static_cast<std::uint64_t>(policy.gemm) << 32 | policy.conv2d_algorithms;
  });

  module.def("measure_flops", &measure_flops, py::arg("threads"), py::call_guard<py::gil_scoped_release>());
  module.def("measure_read_bandwidth", &measure_read_bandwidth, py::arg("threads"),
             py::call_guard<py::gil_scoped_release>());
  module.def("measure_add_bandwidth", &measure_add_bandwidth, py::arg("threads"),
             py::call_guard<py::gil_scoped_release>());
}

}  // namespace fastcnn::bindings
