#include "backend/cpu/conv2d/algorithm.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "core/error.h"
#include "backend/cpu/conv2d/rules.h"

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
      &conv2d_depthwise<T>(),
      &conv2d_pointwise<T>(),
      &conv2d_winograd_4x3<T>(),
      &conv2d_winograd_2x3<T>(),
      &conv2d_winograd_4x5<T>(),
      &conv2d_winograd_2x5<T>(),
      &conv2d_implicit<T>(),
      &conv2d_im2col<T>(),
      &conv2d_reference<T>(),
  };
  return list;
}

namespace {

constexpr std::uint32_t every = ~0U;

std::string all_names() {
  std::string names;
  for (const Conv2dAlgorithm<float>* algorithm : conv2d_algorithms<float>()) {
    names.append(names.empty() ? "" : ", ").append(algorithm->name());
  }
  return names;
}

// Those of that name, and of its family: "winograd" is winograd_4x3, too.
std::uint32_t find(std::string_view wanted, std::string_view who) {
  std::uint32_t found = 0;
  std::uint32_t bit = 1;
  for (const Conv2dAlgorithm<float>* algorithm : conv2d_algorithms<float>()) {
    const std::string_view name = algorithm->name();
    if (name == wanted || (name.starts_with(wanted) && name[wanted.size()] == '_')) found |= bit;
    bit <<= 1;
  }
  if (found == 0 || wanted.empty()) {
    throw ValueError(std::string(who) + ": unknown convolution algorithm \"" + std::string(wanted) +
                     "\", expected auto or some of " + all_names());
  }
  return found;
}

std::uint32_t parse(std::string_view names, std::string_view who) {
  if (names.empty() || names == "auto") return every;
  std::uint32_t only = 0;
  std::uint32_t without = 0;
  while (!names.empty()) {
    const std::size_t comma = std::min(names.find(','), names.size());
    std::string_view name = names.substr(0, comma);
    names.remove_prefix(std::min(comma + 1, names.size()));
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    const bool forbids = name.starts_with('-');
    if (forbids) name.remove_prefix(1);
    (forbids ? without : only) |= find(name, who);
  }
  return (only != 0 ? only : every) & ~without;
}

std::atomic<std::uint32_t>& allowed() {
  static std::atomic<std::uint32_t> mask = [] {
    const char* wanted = std::getenv("FASTCNN_CONV");
    return wanted == nullptr ? every : parse(wanted, "FASTCNN_CONV=" + std::string(wanted));
  }();
  return mask;
}

}  // namespace

std::uint32_t allowed_conv2d_algorithms() { return allowed().load(std::memory_order_relaxed); }

Conv2dSelection::Conv2dSelection(std::string_view name, std::uint32_t allowed)
    : allowed_(name == "auto" ? allowed : find(name, "conv2d")),
      is_auto_(name == "auto") {}

void set_conv2d_algorithms(std::string_view names) { allowed() = parse(names, "set_conv_algorithms"); }

std::string allowed_conv2d_algorithm_names() {
  const Conv2dSelection selection;
  std::string names;
  std::size_t index = 0;
  for (const Conv2dAlgorithm<float>* algorithm : conv2d_algorithms<float>()) {
    if (selection.allows(index++)) names.append(names.empty() ? "" : ",").append(algorithm->name());
  }
  return names;
}

template <class T>
const Conv2dAlgorithm<T>& choose_conv2d_algorithm(const Conv2dSelection& selection, const Conv2dProblem& p,
                                                  Conv2dPass pass,
                                                  std::vector<std::pair<std::string, std::string>>* passed_over) {
  const Conv2dAlgorithm<T>* refused = nullptr;
  std::size_t index = 0;
  for (const Conv2dAlgorithm<T>* algorithm : conv2d_algorithms<T>()) {
    if (!selection.allows(index++)) continue;
    std::string_view reason = algorithm->refusal(p, pass);
    if (reason.empty() && selection.is_auto()) reason = rule_against(algorithm->name(), p, pass);
    if (reason.empty()) return *algorithm;
    if (passed_over != nullptr) passed_over->emplace_back(algorithm->name(), reason);
    refused = algorithm;
  }
  if (selection.is_auto()) return conv2d_im2col<T>();
  throw ValueError("algorithm " + std::string(refused->name()) + " doesn't do " + std::string(name_of(pass)) +
                   ": " + std::string(refused->refusal(p, pass)));
}

template std::span<const Conv2dAlgorithm<float>* const> conv2d_algorithms();
template std::span<const Conv2dAlgorithm<double>* const> conv2d_algorithms();
template const Conv2dAlgorithm<float>& choose_conv2d_algorithm(const Conv2dSelection&, const Conv2dProblem&, Conv2dPass,
                                                               std::vector<std::pair<std::string, std::string>>*);
template const Conv2dAlgorithm<double>& choose_conv2d_algorithm(const Conv2dSelection&, const Conv2dProblem&, Conv2dPass,
                                                                std::vector<std::pair<std::string, std::string>>*);

}  // namespace fastcnn
