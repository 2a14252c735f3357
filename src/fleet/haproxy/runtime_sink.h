// RuntimeSink: weights to one HAProxy by its runtime API, a socket of the machine or TCP
// (`stats socket ... level admin`). A round asks for the state of each backend's servers and sets
// the weights that differ, kCommandsPerLine to a line; answers are read, and what HAProxy did not
// take is counted and logged. One thread.
//
// Limits: kAnswerBytes an answer; kTalkTime a conversation.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/sink.h"
#include "net/dialer.h"

namespace weir::fleet::haproxy {

inline constexpr size_t kCommandsPerLine = 100;
inline constexpr size_t kAnswerBytes = size_t{8} << 20;
inline constexpr Nanoseconds kTalkTime = std::chrono::seconds(5);

struct Backend {
  std::string service;
  std::string backend;  // HAProxy's name for it
};

class RuntimeSink final : public Sink {
 public:
  // `origin` is what the dialer is asked for; both the loop and the feed outlive the sink.
  RuntimeSink(net::Loop& loop, Feed& feed, std::unique_ptr<net::Dialer> dialer, net::Origin origin,
              std::vector<Backend> backends, SinkOptions options);
  ~RuntimeSink() override { stop(); }

 private:
  net::Task<Result<void>> round() override;
  // Sends one line and gives everything that comes back until HAProxy ends the connection.
  net::Task<Result<std::string>> talk(std::string line);

  std::unique_ptr<net::Dialer> dialer_;
  const net::Origin origin_;
  const std::vector<Backend> backends_;
};

}  // namespace weir::fleet::haproxy
