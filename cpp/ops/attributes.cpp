#include "ops/attributes.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "core/edit_distance.h"
#include "core/error.h"

namespace fastcnn {
namespace {

struct Printer {
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const {
    std::ostringstream stream;
    stream << value;
    const std::string text = stream.str();
    return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
  }
  std::string operator()(const std::string& value) const { return '"' + value + '"'; }
  template <class T>
  std::string operator()(const std::vector<T>& values) const {
    std::string text = "(";
    for (std::size_t i = 0; i < values.size(); ++i) text += (i > 0 ? ", " : "") + (*this)(values[i]);
    return text + ")";
  }
};

std::string at_least(std::int64_t least) {
  if (least == 1) return "positive integer";
  if (least == 0) return "non-negative integer";
  return "integer of at least " + std::to_string(least);
}

}  // namespace

AttributeReader::AttributeReader(std::string_view op, Attributes values)
    : op_(op), values_(std::move(values)) {}

bool AttributeReader::flag(std::string_view name, bool fallback) {
  return read<bool>(name, fallback, "true or false");
}

std::int64_t AttributeReader::integer(std::string_view name, std::int64_t fallback) {
  return read<std::int64_t>(name, fallback, "an integer");
}

double AttributeReader::real(std::string_view name, double fallback) {
  const Attribute* value = take(name);
  if (value == nullptr) return fallback;
  if (const auto* number = std::get_if<double>(value)) return *number;
  if (const auto* number = std::get_if<std::int64_t>(value)) return static_cast<double>(*number);
  refuse(name, "a number", *value);
}

std::string AttributeReader::text(std::string_view name, std::string_view fallback) {
  return read<std::string>(name, std::string(fallback), "a string");
}

std::array<std::int64_t, 2> AttributeReader::pair(std::string_view name, std::int64_t fallback,
                                             std::int64_t least) {
  const Attribute* value = take(name);
  if (value == nullptr) return {fallback, fallback};
  std::array<std::int64_t, 2> result{least - 1, least - 1};
  if (const auto* number = std::get_if<std::int64_t>(value)) {
    result = {*number, *number};
  } else if (const auto* pair = std::get_if<std::vector<std::int64_t>>(value); pair && pair->size() == 2) {
    result = {(*pair)[0], (*pair)[1]};
  }
  if (result[0] < least || result[1] < least) {
    refuse(name, "one " + at_least(least) + " or a pair", *value);
  }
  return result;
}

std::vector<std::int64_t> AttributeReader::integers(std::string_view name) {
  return read<std::vector<std::int64_t>>(name, {}, "a tuple of integers");
}

std::vector<double> AttributeReader::reals(std::string_view name) {
  const Attribute* value = take(name);
  if (value == nullptr) return {};
  if (const auto* numbers = std::get_if<std::vector<double>>(value)) return *numbers;
  if (const auto* numbers = std::get_if<std::vector<std::int64_t>>(value)) return {numbers->begin(), numbers->end()};
  refuse(name, "numbers", *value);
}

bool AttributeReader::has(std::string_view name) const { return values_.find(name) != values_.end(); }

void AttributeReader::finish() const {
  std::string message;
  for (const auto& [name, value] : values_) {
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    message += (message.empty() ? "" : "; ") + ("unknown attribute " + name);
    const auto distance = [&name = name](const std::string& known) { return edit_distance(name, known); };
    const auto nearest = std::ranges::min_element(known_, {}, distance);
    if (nearest != known_.end() && distance(*nearest) <= 2) message += ", did you mean " + *nearest + "?";
  }
  if (!message.empty()) throw ValueError(op_ + ": " + message);
}

template <class T>
T AttributeReader::read(std::string_view name, T fallback, std::string_view expected) {
  const Attribute* value = take(name);
  if (value == nullptr) return fallback;
  if (const T* typed = std::get_if<T>(value)) return *typed;
  refuse(name, expected, *value);
}

const Attribute* AttributeReader::take(std::string_view name) {
  known_.emplace_back(name);
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

void AttributeReader::refuse(std::string_view name, std::string_view expected, const Attribute& got) const {
  throw ValueError(op_ + ": attribute " + std::string(name) + ": expected " + std::string(expected) +
                   ", got " + std::visit(Printer{}, got));
}

}  // namespace fastcnn
