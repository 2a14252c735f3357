// One day of the ledger as lines of a FOCUS cost and usage table: a line per meter (input tokens,
// cached input, output, tool calls, ...) of every key, project, team, deployment and price. Tokens
// are ConsumedQuantity, millions of them PricingQuantity. What a meter costs is its rounded part of
// each row's cost; what is left of a row's cost (attempts before the last, estimates) is a line of
// its own, so that all lines together are all costs. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "base/money.h"
#include "ledger/row.h"

namespace weir::ledger {

// Quoted where it must be (RFC 4180). A text that a spreadsheet would take for a formula gets an
// apostrophe in front.
void append_csv_field(std::string& out, std::string_view text);

std::string focus_head(bool version_1_4);

// What a report is billed in. The ledger counts US dollars, which stay the pricing currency.
struct ReportCurrency {
  std::string code = "USD";
  int64_t nano_per_usd = 1'000'000'000;
};

class FocusDay {
 public:
  FocusDay(int64_t day, std::string organization, bool version_1_4, ReportCurrency currency = {})
      : day_(day),
        organization_(std::move(organization)),
        version_1_4_(version_1_4),
        currency_(std::move(currency)) {}
  void add(const RequestRow& row);
  std::string take();

 private:
  struct Key {
    std::string key_id, project, team, account, provider, deployment, model, provider_model;
    std::string tier, price_row, tags;
    std::string_view meter;
    int64_t rate = 0;  // pico-dollars per token, or nano-dollars apiece; -1: none
    int64_t list_rate = 0;
    bool correction = false;
    auto operator<=>(const Key&) const = default;
  };
  struct Sum {
    int64_t quantity = 0;
    int64_t requests = 0;
    Money cost;
    Money list;
  };

  int64_t day_;
  std::string organization_;
  bool version_1_4_;
  ReportCurrency currency_;
  std::map<Key, Sum> lines_;
};

}  // namespace weir::ledger
