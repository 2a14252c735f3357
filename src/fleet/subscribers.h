// Subscribers: the callbacks of a feed, and who of them still listens. One thread.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "fleet/feed.h"

namespace weir::fleet {

class Subscribers {
 public:
  Subscription add(std::function<void(const News&)> on_news);
  // Tells everybody who was there when it began and still is.
  void tell(const News& news);
  size_t size() const;

 private:
  using Callback = std::function<void(const News&)>;
  std::vector<std::weak_ptr<Callback>> all_;
};

}  // namespace weir::fleet
