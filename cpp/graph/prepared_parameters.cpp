#include "graph/prepared_parameters.h"

#include <map>
#include <mutex>
#include <tuple>
#include <utility>

namespace fastcnn {

struct PreparedParameters::Shared {
  Buffer data;
  std::uint64_t version;  // of the parameters, summed
};

PreparedParameters::PreparedParameters(const Backend& backend, const Kernel& kernel, std::vector<ConstView> x,
                                       std::vector<const Parameter*> parameters)
    : backend_(backend), kernel_(kernel), x_(std::move(x)), parameters_(std::move(parameters)) {
  for (std::size_t i = 0; i < x_.size(); ++i)
    if (parameters_[i] == nullptr) x_[i].data = nullptr;
}

std::uint64_t PreparedParameters::version() const {
  std::uint64_t sum = 0;
  for (const Parameter* parameter : parameters_) sum += parameter != nullptr ? parameter->version.load() : 0;
  return sum;
}

const std::byte* PreparedParameters::update(Stream& stream) {
  const std::uint64_t now = version();
  bool may_change = false;  // unseen, by somebody who holds a view to write through
  for (const Parameter* parameter : parameters_) may_change = may_change || (parameter != nullptr && parameter->writers > 0);
  if (is_current_ && current_->version == now && !may_change) return current_->data.get();
  is_current_ = false;

  // What is in use, by its device, its form and the parameters that it was made of.
  using Key = std::tuple<const ArenaPool*, std::string, std::vector<const Parameter*>>;
  static std::mutex mutex;
  static std::map<Key, std::weak_ptr<const Shared>> store;
  const Key key(&backend_.arenas(), kernel_.prepared_form(), parameters_);
  {
    const std::lock_guard lock(mutex);
    std::weak_ptr<const Shared>& entry = store[key];
    const std::shared_ptr<const Shared> found = entry.lock();
    if (found != nullptr && found->version == now && !may_change) {
      current_ = found;
      is_current_ = true;
      return current_->data.get();
    }
    if (found == current_) entry.reset();  // nobody else finds what is written anew below
  }
  current_ = make(now, stream);
  if (may_change) return current_->data.get();
  is_current_ = true;
  const std::lock_guard lock(mutex);
  std::erase_if(store, [](const auto& item) { return item.second.expired(); });
  store[key] = current_;
  return current_->data.get();
}

// Into the memory that this held before, where nobody shares it.
std::shared_ptr<const PreparedParameters::Shared> PreparedParameters::make(std::uint64_t version, Stream& stream) {
  const bool is_own = current_ != nullptr && current_.use_count() == 1;
  Buffer data = is_own ? current_->data : backend_.allocate(kernel_.memory().prepared);
  kernel_.prepare(x_, data.get(), stream);
  return std::make_shared<const Shared>(Shared{std::move(data), version});
}

}  // namespace fastcnn
