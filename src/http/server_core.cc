#include "http/server_core.h"

#include "base/date.h"

namespace weir::http {

std::string_view ServerCore::date() {
  const int64_t wall_ms = loop.clock().wall_ms();
  if (wall_ms / 1000 != date_second_) {
    date_second_ = wall_ms / 1000;
    date_ = http_date(wall_ms);
  }
  return date_;
}

ErrorReply ServerCore::error_reply(int status, const RequestHead* head) const {
  const std::string_view reason = reason_phrase(status);
  if (error_body) return error_body(status, reason, head);
  ErrorReply reply;
  reply.body = "{\"error\":{\"message\":\"" + std::string(reason) + "\"}}";
  return reply;
}

ServerLink::ServerLink(ServerCore& core) : core_(core), next_(core.first) {
  if (next_ != nullptr) next_->prev_ = this;
  core_.first = this;
  ++core_.counters.connections_open;
  core_.none_open.reset();
}

ServerLink::~ServerLink() {
  (prev_ != nullptr ? prev_->next_ : core_.first) = next_;
  if (next_ != nullptr) next_->prev_ = prev_;
  if (--core_.counters.connections_open == 0) core_.none_open.set();
}

}  // namespace weir::http
