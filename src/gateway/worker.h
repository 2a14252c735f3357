// Worker: what one thread of the data plane has of its own. One per core, on its loop's thread;
// requests reach everything through it. Limits stand beside the fields.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/id.h"
#include "base/random.h"
#include "gateway/counters.h"
#include "gateway/queue.h"
#include "gateway/snapshot.h"
#include "gateway/traffic.h"
#include "http/client.h"
#include "ledger/price_memo.h"
#include "ledger/request_log.h"
#include "net/loop.h"

namespace weir::state {
class Keeper;
}

namespace weir::gateway {

// Retries as a share of requests: each request earns `budget` of one, a retry spends a whole one.
// A burst of kBurst is allowed, so that a quiet model may retry at all.
class RetryBudget {
 public:
  static constexpr double kBurst = 10;
  void earn(double budget) { tokens_ = std::min(tokens_ + budget, kBurst); }
  bool spend() {
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  double tokens_ = kBurst;
};

// Gives the client for an account's transport: one per distinct TLS setting.
class Clients {
 public:
  virtual ~Clients() = default;
  virtual http::Client& client(const provider::Transport& transport) = 0;
};

struct Worker {
  // Bodies held in memory by all requests of this worker; beyond, requests are refused with 503.
  static constexpr uint64_t kBodyBytesHeldMax = 1ULL << 30;
  // Streams read on at once after their clients left (drain.h).
  static constexpr uint64_t kDrainsMax = 256;

  net::Loop& loop;
  Clients& clients;
  ledger::LogPort& log;
  IdMaker ids;
  Random random;
  std::shared_ptr<const Snapshot> snapshot;
  state::Keeper* keeper = nullptr;  // shared by all workers; null: nothing outlives a request
  ledger::PriceMemo prices;
  Counters counters;
  Traffic traffic;
  WaitQueue queue{loop};
  std::vector<RetryBudget> retry_budgets;  // by Model::slot
  std::vector<RetryBudget> hedge_budgets;  // likewise
  bool draining = false;

  RetryBudget& retry_budget(uint32_t slot) {
    if (slot >= retry_budgets.size()) retry_budgets.resize(slot + 1);
    return retry_budgets[slot];
  }
  RetryBudget& hedge_budget(uint32_t slot) {
    if (slot >= hedge_budgets.size()) hedge_budgets.resize(slot + 1);
    return hedge_budgets[slot];
  }
};

}  // namespace weir::gateway
