// Hyper-parameters of an op by name, as the bindings and files give them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fastcnn {

using Attribute =
    std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>>;

using Attributes = std::map<std::string, Attribute, std::less<>>;

// Reads each attribute at most once and then refuses the ones nobody asked for.
class AttributeReader {
 public:
  AttributeReader(std::string_view op, Attributes values);

  // Throw ValueError naming op and attribute when the type is another; an integer is a real, too.
  bool flag(std::string_view name, bool fallback);
  std::int64_t integer(std::string_view name, std::int64_t fallback);
  double real(std::string_view name, double fallback);
  std::string text(std::string_view name, std::string_view fallback);
  // (height, width) from a pair or one number for both. Throws ValueError below `least`.
  std::array<std::int64_t, 2> pair(std::string_view name, std::int64_t fallback, std::int64_t least);
  // Any number of integers; none where it is absent.
  std::vector<std::int64_t> integers(std::string_view name);
  std::vector<double> reals(std::string_view name);  // integers, too

  bool has(std::string_view name) const;
  // Throws ValueError naming the attributes that were never read, and what they may have meant.
  void finish() const;

 private:
  template <class T>
  T read(std::string_view name, T fallback, std::string_view expected);
  const Attribute* take(std::string_view name);
  [[noreturn]] void refuse(std::string_view name, std::string_view expected, const Attribute& got) const;

  std::string op_;
  Attributes values_;
  std::vector<std::string> known_;  // every name asked for
};

}  // namespace fastcnn
