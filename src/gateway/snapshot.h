// Snapshot: everything that configuration says about serving requests, as one immutable value with
// a generation number. The control plane builds the next one and posts it to the workers; a
// request keeps the one it began with. Nothing in it changes but the shared states that
// deployments, accounts and keys point to.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "access/key_table.h"
#include "base/clock.h"
#include "ledger/price_book.h"
#include "ledger/user_limits.h"
#include "provider/pool.h"
#include "schedule/policy.h"

namespace weir::gateway {

struct Timeouts {
  Milliseconds connect{2'000};
  Milliseconds first_token{60'000};  // streams: request sent to first content
  Milliseconds answer{300'000};      // whole answers: request sent to the answer's first byte
  Milliseconds idle{60'000};         // between two pieces of a streamed answer
  Milliseconds total{600'000};       // the whole request, every attempt included
};

struct Retries {
  uint32_t attempts = 3;  // per model, the first included
  double budget = 0.1;    // retries as a share of requests
};

// What sends a request where an earlier one like it went (affinity.h).
struct AffinityRules {
  std::string header;  // empty: none
  bool prompt_cache_key = true;
  bool user = false;
  bool prefix = true;
  double slack = 0.25;
};

// A second attempt beside one that takes long to begin (hedge.h).
struct HedgeRules {
  std::optional<Milliseconds> after;  // absent: the learned 95th percentile
  double budget = 0.05;               // as a share of requests
};

struct Model {
  std::string name;
  provider::Pool pool;
  std::vector<std::string> fallbacks;  // names, in order; resolved through the snapshot
  Timeouts timeouts;
  Retries retries;
  schedule::ServiceOptions schedule;
  AffinityRules affinity;
  std::optional<HedgeRules> hedge;
  provider::ProbeKind probe = provider::ProbeKind::completion;
  int64_t max_output = 0;  // tokens of an answer, where it is known: what budgets reserve
  std::optional<bool> capture;
  std::shared_ptr<ledger::LimitCells> limits;  // of all callers together; null: none
  int64_t created_s = 0;                       // shown by /v1/models
  uint32_t slot = 0;  // index of its counters and retry budget; stable across reloads
};

struct CaptureRules {
  bool enabled = false;  // for every request; keys and models say otherwise for theirs
  size_t bytes_max = 256 * 1024;
};

// Where requests wait while what they ask for is full (queue.h).
struct QueueRules {
  size_t size = 256;  // of each worker
  Milliseconds wait{2'000};
};

struct Snapshot {
  uint64_t generation = 0;
  std::vector<Model> models;  // sorted by name
  access::KeyTable keys;
  // Without any key anybody who reaches the listener is served, as `anonymous`.
  bool keys_required = false;
  std::shared_ptr<const access::Principal> anonymous;
  // The buckets of end users; null while nobody limits them.
  std::shared_ptr<ledger::UserLimits> users;
  ledger::PriceBook prices;
  std::vector<std::shared_ptr<const provider::Account>> accounts;
  CaptureRules capture;
  QueueRules queue;
  // Proxies whose X-Forwarded-For is believed, for keys that are bound to addresses.
  std::vector<access::IpRange> trusted_proxies;
  uint64_t body_bytes_max = 100ULL << 20;

  // nullptr where there is no such model.
  const Model* find_model(std::string_view name) const;
};

}  // namespace weir::gateway
