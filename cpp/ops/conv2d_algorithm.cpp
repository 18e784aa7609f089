#include "ops/conv2d_algorithm.h"

#include "core/error.h"

namespace fastcnn {

std::string_view name_of(Conv2dPass pass) {
  switch (pass) {
    case Conv2dPass::forward: return "forward";
    case Conv2dPass::backward_data: return "backward_data";
    case Conv2dPass::backward_weights: return "backward_weights";
  }
  return "?";
}

template <class T>
std::span<const Conv2dAlgorithm<T>* const> conv2d_algorithms() {
  static const Conv2dAlgorithm<T>* const list[] = {
      &conv2d_pointwise<T>(),
      &conv2d_im2col<T>(),
      &conv2d_reference<T>(),
  };
  return list;
}

template <class T>
const Conv2dAlgorithm<T>& choose_conv2d_algorithm(std::string_view name, const Conv2dProblem& p,
                                                  Conv2dPass pass, std::string* why) {
  for (const Conv2dAlgorithm<T>* algorithm : conv2d_algorithms<T>()) {
    if (name != "auto" && name != algorithm->name()) continue;
    const std::string_view refusal = algorithm->refusal(p, pass);
    if (refusal.empty()) return *algorithm;
    if (name != "auto") {
      throw ValueError("algorithm " + std::string(name) + " doesn't do " + std::string(name_of(pass)) + ": " +
                       std::string(refusal));
    }
    if (why != nullptr) {
      why->append(why->empty() ? "" : "; ").append(algorithm->name()).append(": ").append(refusal);
    }
  }
  std::string names = "auto";
  for (const Conv2dAlgorithm<T>* algorithm : conv2d_algorithms<T>())
    names.append(", ").append(algorithm->name());
  throw ValueError("unknown algorithm \"" + std::string(name) + "\", expected one of " + names);
}

template std::span<const Conv2dAlgorithm<float>* const> conv2d_algorithms();
template std::span<const Conv2dAlgorithm<double>* const> conv2d_algorithms();
template const Conv2dAlgorithm<float>& choose_conv2d_algorithm(std::string_view, const Conv2dProblem&,
                                                               Conv2dPass, std::string*);
template const Conv2dAlgorithm<double>& choose_conv2d_algorithm(std::string_view, const Conv2dProblem&,
                                                                Conv2dPass, std::string*);

}  // namespace fastcnn
