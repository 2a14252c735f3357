#include "fleet/narrator.h"

#include "base/log.h"

namespace weir::fleet {

Narrator::Narrator(Fleet& fleet)
    : fleet_(fleet),
      told_(fleet.scheduler().journal().written()),
      before_(fleet.scheduler().counters()) {}

void Narrator::tell() {
  const schedule::Scheduler& scheduler = fleet_.scheduler();
  const schedule::Counters& now = scheduler.counters();
  if (now.breaker_trips > before_.breaker_trips)
    log::error("fleet_breaker_open", {{"cuts", now.cuts}, {"endpoints", scheduler.endpoints()}});
  if (now.reporters_set_aside > before_.reporters_set_aside)
    for (const uint32_t reporter : scheduler.reporters_aside())
      log::warn("fleet_reporter_set_aside",
                {{"reporter", fleet_.registry().reporter_name(reporter)}});
  before_ = now;
  const schedule::Journal& journal = scheduler.journal();
  if (journal.written() == told_) return;
  uint32_t lines = 0;
  uint64_t unsaid = 0;
  for (const schedule::Record& record : journal.since(told_)) {
    using schedule::Reason;
    const bool telling = record.reason == Reason::cut || record.reason == Reason::panic ||
                         record.reason == Reason::panic_over ||
                         (record.reason == Reason::recovered && record.health >= 1);
    if (!telling) continue;
    if (++lines > kLinesMost) {
      ++unsaid;
      continue;
    }
    log::info("fleet_weight", {{"service", fleet_.registry().service(record.service).spec.name},
                               {"reason", schedule::to_string(record.reason)},
                               {"sentence", fleet_.sentence(record)}});
  }
  if (unsaid > 0) log::info("fleet_weights_unsaid", {{"count", unsaid}});
  told_ = journal.written();
}

}  // namespace weir::fleet
