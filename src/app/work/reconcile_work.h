// What `weir reconcile` and the admin API's job share: statements read, laid beside the ledger, and
// the result as JSON. Not for workers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "app/config/config.h"
#include "base/json/writer.h"
#include "base/result.h"
#include "reconcile/drift.h"
#include "reconcile/statement.h"

namespace weir::app {

// How a statement of that source is read. Errors: invalid_argument, where there is no such source.
Result<reconcile::ReadOptions> read_options(const Config& config, std::string_view source,
                                            std::string_view provider);

struct ReconcileDays {
  std::optional<int64_t> from;   // else the statement's first day
  std::optional<int64_t> to;     // else the day behind its last
  std::optional<int64_t> today;  // when it was exported; else now
};

// A day such as "2026-11-01", or nothing. Errors: invalid_argument with the name.
Result<std::optional<int64_t>> parse_day_of(std::string_view text, std::string_view name);

reconcile::DriftQuery drift_query(const reconcile::Statement& statement, const ReconcileDays& days);

// Errors: those of reading the ledger.
Result<reconcile::Reconciliation> reconcile_with_ledger(const Config& config,
                                                        const reconcile::Statement& statement,
                                                        const reconcile::DriftQuery& query);

// Whether a person has to look.
bool has_drift(const reconcile::Reconciliation& result);

void write_sums(json::Writer& w, const reconcile::Reconciliation& result);
void write_left_out(json::Writer& w, const reconcile::Statement& statement);
std::string reconciliation_json(const reconcile::Reconciliation& result,
                                const reconcile::Statement& statement);

}  // namespace weir::app
