// What the calls of one simulator share. Private to sim/: simulator.cc owns it, call_run.cc and
// control.cc work on it. One loop, one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "http/server.h"
#include "net/tcp.h"
#include "net/tls.h"
#include "sim/file_store.h"
#include "sim/prompt.h"
#include "sim/simulator.h"
#include "sim/wire_stream.h"

namespace weir::sim {

class Simulator::Impl {
 public:
  Impl(net::Loop& its_loop, SimConfig its_config);

  net::Task<void> handle(http::ServerExchange& exchange);
  Result<uint16_t> listen(std::string_view address, const std::optional<TlsFiles>& tls);
  void serve(std::unique_ptr<net::Stream> stream);
  net::Task<void> accept_tls(std::unique_ptr<net::Stream> stream);

  const ModelSettings& settings_of(const std::string& model) const;
  // Names for the lists of models: those configured, else a usual choice.
  std::vector<std::string> model_names() const;
  int64_t wall_ms() const { return loop.clock().wall_ms(); }
  int64_t wall_s() const { return wall_ms() / 1000; }

  net::Loop& loop;
  const SimConfig config;
  Script script;
  CallLog calls;
  TokenIssuer tokens;
  RateLimiter limiter;
  PromptCache prompt_cache;
  FileStore files;
  Random rates;  // decides about rules with a rate
  uint64_t next_call = 1;
  Wires wires;
  std::shared_ptr<const net::TlsServerContext> tls;
  std::vector<std::unique_ptr<net::Listener>> listeners;
  std::unique_ptr<http::Server> server;
  net::TaskGroup handshakes;
};

}  // namespace weir::sim
