// Simulator: a provider of model APIs that is not real: every dialect, deterministic by its seed,
// at the pace of a model, failing when told to, and keeping its own account of what it answered. It
// is `weir sim`, the demo provider inside `weir serve`, and the upstream of tests, where it serves
// in-memory connections under a manual clock.
//
// Lives on its loop's thread; the loop outlives it. Its destructor cuts what is running. Limits:
// SimConfig and those of its parts (Script, CallLog, FileStore, TokenIssuer, PromptCache).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/server.h"
#include "http/sigv4.h"
#include "net/loop.h"
#include "net/stream.h"
#include "sim/call_log.h"
#include "sim/rate_limit.h"
#include "sim/script.h"
#include "sim/token_issuer.h"

namespace weir::sim {

struct ModelSettings {
  std::optional<Latency> latency;
  std::optional<int64_t> output_tokens;
  RateLimits limits;
};

struct SimConfig {
  uint64_t seed = 1;
  Latency latency;
  int64_t output_tokens = 48;  // mean length of a made-up answer
  bool demo = false;           // answers explain where they come from
  ModelSettings others;        // for models without settings of their own
  // Models with settings of their own. Others are answered too, unless `known_models_only`.
  std::map<std::string, ModelSettings> models;
  bool known_models_only = false;
  std::vector<std::string> keys;  // accepted ones; empty: any, and none at all
  // Signatures at Bedrock's paths must be of these; empty: any, and none at all.
  http::AwsCredentials aws;
  std::string aws_region = "us-east-1";
  // Bearer tokens at Azure's and Vertex AI's paths must come from the token endpoints here.
  bool require_tokens = false;
  Nanoseconds token_lifetime = std::chrono::hours(1);
  std::string google_public_key;  // PEM; verifies what the Google token endpoint is given
  size_t calls_max = 10'000;
  size_t request_bytes_kept = 0;  // of each request's body, in the call log
  http::ServerConfig server;
};

// Seed, latency, output_tokens, models, keys, ... as members of one JSON object; `rules` go to the
// script. invalid_argument names the member.
struct SimFile {
  SimConfig config;
  std::vector<Rule> rules;
};
Result<SimFile> parse_sim_file(std::string_view text, SimConfig defaults);

class Simulator {
 public:
  Simulator(net::Loop& loop, SimConfig config);
  ~Simulator();
  Simulator(const Simulator&) = delete;
  Simulator& operator=(const Simulator&) = delete;

  // Listens; gives the port ("127.0.0.1:0" lets the kernel pick). With files, over TLS.
  struct TlsFiles {
    std::string certificate, key;
  };
  Result<uint16_t> listen(std::string_view address, const std::optional<TlsFiles>& tls = {});
  void serve_connection(std::unique_ptr<net::Stream> stream);
  // Closes the listener and lets what runs end, for at most `limit`.
  net::Task<void> drain(Nanoseconds limit);

  Script& script();
  // A rule as JSON, e.g. R"({"times":1,"fault":{"kind":"stall"}})"; stops the process when it is
  // wrong: for tests.
  uint64_t add_rule(std::string_view json);
  CallLog& calls();
  TokenIssuer& tokens();
  const http::ServerCounters& server_counters() const;

  class Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::sim
