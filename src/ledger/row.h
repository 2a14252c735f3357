// RequestRow: what the ledger keeps of one request, exactly one per request whatever happened to
// it. A plain value, filled by the gateway's settle stage and handed over once. The id is the
// SQLite rowid and tells the start time and the day file.
//
// RequestRow owns its texts. RowView has the same fields as views: a worker makes one per request
// from what its snapshot and exchange hold anyway, and nothing of it is copied but into the log.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

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

template <class Text>
struct BasicRow {
  Id id;
  int64_t start_ms = 0;  // wall time
  Text key_id{};         // empty: no valid key was presented
  Text team{};
  Text project{};
  Text user{};      // the client's own tag for its user, as sent
  Text tags{};      // compact JSON object or empty
  Text dialect{};   // the client's: "openai_chat", "anthropic_messages", ...
  Text endpoint{};  // "/v1/chat/completions"
  Text model_asked{};
  Text model{};  // the configured name it resolved to
  Text deployment{};
  Text account{};
  Text provider{};
  Text provider_model{};
  uint32_t attempts = 0;
  // Compact JSON array of the attempts: [{"d":deployment,"s":status,"e":error code,"ms":12}, ...].
  // The last one of an aborted request has "abort": what became of the provider's answer.
  Text attempts_text{};
  int32_t status = 0;  // HTTP status sent; 0: none was
  Outcome outcome = Outcome::ok;
  Text error_code{};
  bool streamed = false;
  int64_t total_us = 0;
  int64_t ttft_us = 0;      // first byte of the answer to the client; 0: none was sent
  int64_t upstream_us = 0;  // of it, waiting for the upstream
  dialect::Usage usage;     // usage.service_tier is the row's tier
  Money cost;
  Text price_row{};  // PriceRow::id, empty when unpriced
  // The rates it was priced by, as rates_text() writes them: in pico-dollars per token, "tool_call"
  // in nano-dollars. Of the last attempt, as the price row is.
  Text rates{};
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

  // Takes totals and price row over from a cost; the rates as rates_text() has them.
  void set_cost(const Cost& c, std::string_view rates_given) {
    cost = c.total;
    cost_state = c.state;
    price_row = c.row_id();
    list_cost = c.list;
    rates = rates_given;
  }
  void set_cost(const Cost& c)
    requires std::same_as<Text, std::string>
  {
    set_cost(c, rates_text(c));
  }
};
using RequestRow = BasicRow<std::string>;
using RowView = BasicRow<std::string_view>;

// Memory that it holds, for the queue's byte limit.
size_t bytes_of(const Capture& capture);

}  // namespace weir::ledger
