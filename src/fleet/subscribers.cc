#include "fleet/subscribers.h"

#include <algorithm>

namespace weir::fleet {

std::string_view to_string(Health health) {
  constexpr std::string_view kNames[] = {"healthy", "warming", "degraded", "drained"};
  return kNames[static_cast<size_t>(health)];
}

Subscription Subscribers::add(std::function<void(const News&)> on_news) {
  auto callback = std::make_shared<Callback>(std::move(on_news));
  all_.push_back(callback);
  return Subscription(std::move(callback));
}

void Subscribers::tell(const News& news) {
  std::erase_if(all_, [](const auto& one) { return one.expired(); });
  const auto now = all_;  // a callback may add
  for (const auto& one : now)
    if (const auto callback = one.lock()) (*callback)(news);
}

size_t Subscribers::size() const {
  return static_cast<size_t>(
      std::count_if(all_.begin(), all_.end(), [](const auto& one) { return !one.expired(); }));
}

}  // namespace weir::fleet
