#include "ledger/corrections.h"

#include "ledger/log_schema.h"
#include "store/day.h"

namespace weir::ledger {

Result<Corrections> corrections_of(const LogReader& reader) {
  Corrections sums;
  for (const int64_t day : store::days_on_disk(reader.data_dir(), kRequestsPrefix)) {
    WEIR_TRY(const LogFile file, reader.files().requests(day));
    if (!file) continue;
    WEIR_TRY(store::Statement rows,
             file->prepare("SELECT key_id, project, team, sum(cost_nano) FROM request WHERE "
                           "corrects<>0 GROUP BY 1, 2, 3"));
    for (;;) {
      WEIR_TRY(const bool more, rows.step());
      if (!more) break;
      const Money cost = Money::from_nano(rows.column_int64(3));
      const auto add = [&](std::string_view name, std::string subject) {
        if (!name.empty()) sums[{std::move(subject), day}] += cost;
      };
      add(rows.column_text(0), key_subject(rows.column_text(0)));
      add(rows.column_text(1), project_subject(rows.column_text(1)));
      add(rows.column_text(2), team_subject(rows.column_text(2)));
      sums[{std::string(kOrganizationSubject), day}] += cost;
    }
  }
  return sums;
}

Result<void> recall_corrections(const LogReader& reader, int64_t wall_ms, LimitRegistry& registry) {
  WEIR_TRY(const Corrections sums, corrections_of(reader));
  for (const auto& [where, sum] : sums) registry.correct(where.first, where.second, sum, wall_ms);
  return {};
}

}  // namespace weir::ledger
