// RequestRow: what the ledger keeps of one request, exactly one per request whatever happened to
// it. A plain value, filled by the gateway's settle stage and handed over once. The id is the
// SQLite rowid and tells the start time and the day file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/id.h"
#include "base/money.h"
#include "dialect/usage.h"
#include "ledger/cost.h"

namespace weir::ledger {

// How the request ended, from the client's point of view.
enum class Outcome : uint8_t {
  ok,         // a whole answer was sent
  error,      // an error was sent (before or in the middle of the answer)
  aborted,    // the client went away first
  truncated,  // the upstream broke off and the client was told so
  denied,     // refused here: key, limits, budget, unknown model
};
std::string_view to_string(Outcome outcome);

// Bodies to keep for this request, uncompressed; only where capture was switched on.
struct Capture {
  std::string request;
  std::string response;
  std::string request_content_type;
  std::string response_content_type;
  int64_t request_bytes = 0;  // whole sizes, where the texts above were capped by the relay
  int64_t response_bytes = 0;
};

struct RequestRow {
  Id id;
  int64_t start_ms = 0;  // wall time
  std::string key_id;    // empty: no valid key was presented
  std::string team;
  std::string project;
  std::string user;      // the client's own tag for its user, as sent
  std::string tags;      // compact JSON object or empty
  std::string dialect;   // the client's: "openai_chat", "anthropic_messages", ...
  std::string endpoint;  // "/v1/chat/completions"
  std::string model_asked;
  std::string model;  // the configured name it resolved to
  std::string deployment;
  std::string account;
  std::string provider;
  std::string provider_model;
  uint32_t attempts = 0;
  // Compact JSON array of the attempts: [{"d":deployment,"s":status,"e":error code,"ms":12}, ...].
  // The last one of an aborted request has "abort": what became of the provider's answer.
  std::string attempts_text;
  int32_t status = 0;  // HTTP status sent; 0: none was
  Outcome outcome = Outcome::ok;
  std::string error_code;
  bool streamed = false;
  int64_t total_us = 0;
  int64_t ttft_us = 0;      // first byte of the answer to the client; 0: none was sent
  int64_t upstream_us = 0;  // of it, waiting for the upstream
  dialect::Usage usage;     // usage.service_tier is the row's tier
  Money cost;
  std::string price_row;  // PriceRow::id, empty when unpriced
  // The rates it was priced by, as rates_text() writes them: in pico-dollars per token, "tool_call"
  // in nano-dollars. Of the last attempt, as the price row is.
  std::string rates;
  Money list_cost;  // before the account's discount
  CostState cost_state = CostState::unpriced;
  int64_t config_generation = 0;
  int64_t bytes_in = 0;   // request body from the client
  int64_t bytes_out = 0;  // answer body to the client
  // A correction: its cost is what is to be added to that of this earlier row. It counts as no
  // request. Zero: a row of its own.
  Id corrects{0};
  bool captured = false;  // set by the log when the capture was stored
  std::unique_ptr<Capture> capture;
  uint32_t journal_slot = UINT32_MAX;  // set by the log; none

  // Takes totals and price row over from a cost.
  void set_cost(const Cost& c);
  // Memory this row holds, for the queue's byte limit.
  size_t bytes() const;
};

}  // namespace weir::ledger
