#include "fleet/complaints.h"

#include "base/log.h"

namespace weir::fleet {

void Complaints::say(Nanoseconds now, std::string_view event, std::string_view reason,
                     std::string_view who, std::string_view what, uint64_t count) {
  Last& last = by_reason_[std::string(event) + ":" + std::string(reason)];
  if (last.said && now - last.at < every_) {
    last.unsaid += count;
    return;
  }
  log::warn(
      event,
      {{"reason", reason}, {"reporter", who}, {"example", what}, {"count", count + last.unsaid}});
  last = {.at = now, .unsaid = 0, .said = true};
}

}  // namespace weir::fleet
