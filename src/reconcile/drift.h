// Drift: where a provider's statement and the ledger differ, per provider, model and day, and why.
// Tokens are compared first, and money by what is left when the tokens that differ are priced:
//
//   bypass       the provider sold what did not go through this gateway
//   missing      the ledger has what the provider did not sell (settled days only)
//   late         it is on the day beside, or the day is too young for the provider to have settled
//   class        as many tokens, but of another meter or tier
//   rate         the tokens agree and their price does not: a stale price, an unknown discount
//   rounding     less than a hundredth of a cent, or than a millionth
//   unexplained  the statement tells money and no tokens, and it does not agree
//
// Pure: lines of two sides in, drifts out.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"
#include "reconcile/statement.h"

namespace weir::reconcile {

enum class Kind : uint8_t { bypass, missing, late, token_class, rate, rounding, unexplained };
std::string_view to_string(Kind kind);
// Whether a person has to look.
bool is_drift(Kind kind);

struct Part {
  Kind kind = Kind::rounding;
  int64_t tokens = 0;  // provider's less the ledger's; of token_class: that changed places
  Money cost;          // provider's less the ledger's
  bool operator==(const Part&) const = default;
};

struct Drift {
  std::string provider;
  std::string model;
  int64_t day = 0;
  bool provisional = false;  // providers correct their figures for about three days
  int64_t ledger_tokens = 0;
  int64_t provider_tokens = 0;
  Money ledger_cost;
  Money provider_cost;
  std::vector<Part> parts;  // empty: both agree
};

struct Reconciliation {
  std::vector<Drift> drifts;  // every provider, model and day of either side
  std::map<Kind, Part> sums;
  Money ledger_cost;
  Money provider_cost;
};

// `today`: the day of the statement's export. Days outside [from_day, to_day) are left out.
struct DriftQuery {
  static constexpr int64_t kSettledAfterDays = 3;

  int64_t from_day = 0;
  int64_t to_day = 0;
  int64_t today = 0;
};

// Of providers that the statement has.
Reconciliation reconcile(std::span<const Line> ledger, const Statement& statement,
                         const DriftQuery& query);

}  // namespace weir::reconcile
