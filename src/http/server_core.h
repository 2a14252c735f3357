// What the connections of a Server share, and what the server knows of each, whatever HTTP version
// it speaks. One thread; owned by the server.
#pragma once

#include <string>
#include <string_view>

#include "http/server.h"
#include "net/task.h"

namespace weir::http {

class ServerLink;

struct ServerCore {
  ServerCore(net::Loop& its_loop, ServerConfig its_config, Handler its_handler,
             ErrorBody its_error_body)
      : loop(its_loop),
        config(its_config),
        handler(std::move(its_handler)),
        error_body(std::move(its_error_body)),
        none_open(its_loop) {
    none_open.set();
  }
  // The Date field's value, made once per second.
  std::string_view date();
  // What the server itself answers with that status; `head` may be null.
  ErrorReply error_reply(int status, const RequestHead* head) const;

  net::Loop& loop;
  const ServerConfig config;
  const Handler handler;
  const ErrorBody error_body;
  ServerCounters counters;
  bool draining = false;
  ServerLink* first = nullptr;  // the open connections
  net::Event none_open;

 private:
  int64_t date_second_ = -1;
  std::string date_;
};

// An open connection in its server's list; counts itself.
class ServerLink {
 public:
  // Ends the connection if no request is on it; otherwise it ends after the running ones.
  virtual void stop_when_idle() = 0;
  // Ends it now, whatever runs.
  virtual void cut() = 0;
  ServerLink* next_open() const { return next_; }

  ServerLink(const ServerLink&) = delete;
  ServerLink& operator=(const ServerLink&) = delete;

 protected:
  explicit ServerLink(ServerCore& core);
  ~ServerLink();
  ServerCore& core_;

 private:
  ServerLink* prev_ = nullptr;
  ServerLink* next_ = nullptr;
};

}  // namespace weir::http
