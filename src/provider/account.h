// Account and Deployment: what the configuration says about a provider's account and the models
// served there, plus the state that requests change. The descriptions are immutable parts of the
// snapshot. The states are small sets of atomics shared by all workers (no lock, no waiting); they
// outlive a reload, so that health is not forgotten by it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "dialect/conversation.h"
#include "http/client.h"
#include "http/sigv4.h"
#include "ledger/limits.h"
#include "ledger/priority.h"
#include "provider/lease.h"

namespace weir::provider {

enum class Kind : uint8_t {
  openai,
  azure_openai,
  anthropic,
  vertex_ai,
  gemini,
  bedrock,
  openai_compatible,
};
std::string_view to_string(Kind kind);

// How requests of an account prove who they are.
enum class AuthKind : uint8_t {
  none,            // a local server that asks for nothing
  bearer,          // Authorization: Bearer <api_key>
  api_key_header,  // the provider's own header: api-key, x-api-key, x-goog-api-key
  access_token,    // Authorization: Bearer <token fetched and refreshed off the request path>
  aws_signature,   // SigV4 with `aws`
};

// The access token of an account, published by the control thread and read by every worker.
//
// Why reading needs no lock: the pointer is replaced by one atomic store, and a replaced token
// stays allocated in `retired_` for at least kGraceMs after that. A reader copies the text without
// suspending in between, which takes microseconds, so it never sees freed memory.
class TokenSlot {
 public:
  static constexpr int64_t kGraceMs = 60'000;

  // Any thread. Empty while none has been fetched yet.
  std::string get() const;
  // Control thread only; `wall_ms` paces the freeing of replaced tokens.
  void publish(Secret token, int64_t wall_ms);

 private:
  struct Retired {
    int64_t wall_ms;
    std::unique_ptr<const Secret> token;
  };
  std::atomic<const Secret*> current_{nullptr};
  std::unique_ptr<const Secret> owner_;
  std::vector<Retired> retired_;
};

// What requests change about an account. Any thread.
struct AccountState {
  Lease credential;  // parked by 401/403 and exhausted quota
  TokenSlot token;
  std::atomic<bool> token_refused{false};  // the provider answered 401: fetch a new one now
  std::atomic<uint32_t> in_flight{0};      // attempts under way
  // The provider's limits of this account, as configured: nothing is sent beyond them.
  ledger::RequestRate requests;
  ledger::TokenRate tokens;
  ledger::Concurrency concurrency;
  ledger::Gate gate;  // who waits for room in them
};

// What requests change about a deployment. Any thread.
struct DeploymentState {
  Lease lease;                         // parked by 429
  std::atomic<uint32_t> in_flight{0};  // attempts under way
  std::atomic<uint8_t> asked{0};       // 1 + the Operation (call.h) of its latest attempt; 0: none
  // Its number among all since the start: where each worker keeps what it saw (gateway/traffic.h).
  uint32_t index = 0;
};

// How connections to an account's address are secured, where the defaults do not do.
struct Transport {
  std::string ca_file;  // PEM roots in place of the system's
  bool verify = true;
  auto operator<=>(const Transport&) const = default;
};

// What is done with a stream whose client has left.
enum class OnAbort : uint8_t {
  cancel,  // the call is broken off, its usage estimated
  drain,   // it is read to its end, within limits, for the usage told there
};
std::string_view to_string(OnAbort on_abort);

// How Weir asks a sick deployment by itself whether it is well again (gateway/probe.h).
enum class ProbeKind : uint8_t {
  completion,   // a call of one token
  list_models,  // a GET of the account's models
  off,
};
std::string_view to_string(ProbeKind kind);

struct Account {
  std::string name;
  Kind kind = Kind::openai;
  http::Origin origin;    // where requests go
  std::string base_path;  // prefix of every path, "" or "/v1" without trailing slash
  AuthKind auth = AuthKind::none;
  Secret api_key;
  std::string api_version;                                   // azure_openai: "" = the v1 API
  std::string project;                                       // vertex_ai
  std::string location;                                      // vertex_ai, bedrock (the region)
  http::AwsCredentials aws;                                  // bedrock
  std::string organization;                                  // openai
  std::vector<std::pair<std::string, std::string>> headers;  // sent with every request
  Transport transport;
  bool stream_usage = true;  // the server accepts stream_options.include_usage
  OnAbort on_abort = OnAbort::cancel;
  uint32_t probes_per_hour = 30;  // Weir's own calls at sick deployments, at most
  std::shared_ptr<AccountState> state;
};

struct Deployment {
  std::string name;  // "account/model": unique within a model, shown in headers and logs
  std::shared_ptr<const Account> account;
  std::string model;       // the provider's name for the model (azure: the deployment)
  std::string base_model;  // the model that it is priced as
  uint32_t weight = 1;
  uint32_t priority = 0;  // used while nothing with a lower number has capacity left
  std::optional<dialect::Dialect> dialect;  // overrides the provider's own
  uint32_t slot = 0;                        // index of its counters (observe/)
  std::shared_ptr<DeploymentState> state;
};

// "; this machine's clock is 7 minutes behind the provider's ..." where a signature can be refused
// for that: `headers` are the provider's, with its Date. Else "".
std::string clock_skew(const Account& account, const http::HeaderList& headers, int64_t wall_ms);

// The text without the account's credentials, header values among them, where a provider repeats
// what it was sent.
std::string without_secrets(std::string text, const Account& account);

}  // namespace weir::provider
