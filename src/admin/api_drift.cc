// The newest reconciliations with the providers' statements: what both sides say of each provider,
// model and day, and why they differ.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "admin/drift_json.h"
#include "admin/routes.h"
#include "base/json/writer.h"
#include "base/text.h"
#include "reconcile/drift_book.h"
#include "store/day.h"

namespace weir::admin {
namespace {

using reconcile::Drift;
using reconcile::Kind;
using reconcile::Part;

constexpr int64_t kDaysStandard = 62;
constexpr uint32_t kDriftsMax = 10'000;

Result<int64_t> moment_of(const Request& request, const std::string& name, int64_t standard) {
  const auto found = request.query.find(name);
  if (found == request.query.end()) return standard;
  const auto number = parse_int64(found->second);
  if (number && *number >= 0) return *number;
  return fail(ErrorCode::invalid_argument, fmt::format("{}: expected Unix milliseconds", name));
}

Result<reconcile::DriftFilter> filter_of(const Request& request) {
  reconcile::DriftFilter filter{.limit = kDriftsMax};
  WEIR_TRY(const int64_t until, moment_of(request, "until", SystemClock().wall_ms()));
  WEIR_TRY(
      const int64_t since,
      moment_of(request, "since", std::max<int64_t>(until - kDaysStandard * store::kDayMs, 0)));
  filter.from_day = store::day_of(since);
  filter.to_day = store::day_of(until + store::kDayMs - 1);
  if (const auto found = request.query.find("provider"); found != request.query.end()) {
    filter.provider = found->second;
  }
  return filter;
}

// Nobody knows why money differs where there are no tokens to compare.
bool is_explained(const Drift& drift) {
  return std::ranges::none_of(drift.parts,
                              [](const Part& part) { return part.kind == Kind::unexplained; });
}

bool needs_a_look(const Drift& drift) {
  return std::ranges::any_of(drift.parts,
                             [](const Part& part) { return reconcile::is_drift(part.kind); });
}

void write_run(json::Writer& w, const reconcile::Run& run) {
  w.begin_object()
      .member("id", fmt::format("{}", run.id))
      .member("time_ms", run.time_ms)
      .member("by", run.by)
      .member("source", run.source)
      .member("files", run.files)
      .member("from", store::day_text(run.from_day))
      .member("to", store::day_text(run.to_day))
      .member("lines", run.lines);
  w.key("left_out").begin_object();
  for (const auto& [why, count] : run.left_out) w.member(why, count);
  w.end_object().end_object();
}

Result<Reply> tell(Backend& backend, const Request& request) {
  WEIR_TRY(const reconcile::DriftFilter filter, filter_of(request));
  WEIR_TRY(reconcile::DriftBook book, reconcile::DriftBook::open(backend.ledger().data_dir()));
  WEIR_TRY(const std::vector<reconcile::KeptDrift> drifts, book.list(filter));
  WEIR_TRY(const std::vector<reconcile::Run> runs, book.runs());
  std::map<Kind, Part> sums;
  Money ledger_cost;
  Money provider_cost;
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().key("items").begin_array();
  for (const reconcile::KeptDrift& kept : drifts) {
    w.begin_object();
    write_drift(w, kept.drift);
    w.member("explained", is_explained(kept.drift))
        .member("drift", needs_a_look(kept.drift))
        .member("run", fmt::format("{}", kept.run))
        .member("time_ms", kept.time_ms)
        .end_object();
    ledger_cost += kept.drift.ledger_cost;
    provider_cost += kept.drift.provider_cost;
    for (const Part& part : kept.drift.parts) {
      Part& sum = sums[part.kind];
      sum.kind = part.kind;
      sum.tokens += part.tokens;
      sum.cost += part.cost;
    }
  }
  w.end_array()
      .member("truncated", drifts.size() == kDriftsMax)
      .member("ledger_cost_usd", ledger_cost.to_usd())
      .member("provider_cost_usd", provider_cost.to_usd());
  w.key("sums").begin_array();
  for (const auto& [kind, part] : sums) write_part(w, part);
  w.end_array().key("runs").begin_array();
  for (const reconcile::Run& run : runs) write_run(w, run);
  w.end_array().end_object();
  return reply;
}

}  // namespace

void write_part(json::Writer& w, const Part& part) {
  w.begin_object()
      .member("kind", to_string(part.kind))
      .member("tokens", part.tokens)
      .member("cost_usd", part.cost.to_usd())
      .end_object();
}

void write_drift(json::Writer& w, const Drift& drift) {
  w.member("day", store::day_text(drift.day))
      .member("provider", drift.provider)
      .member("model", drift.model)
      .member("provisional", drift.provisional)
      .member("ledger_tokens", drift.ledger_tokens)
      .member("provider_tokens", drift.provider_tokens)
      .member("ledger_cost_usd", drift.ledger_cost.to_usd())
      .member("provider_cost_usd", drift.provider_cost.to_usd());
  w.key("parts").begin_array();
  for (const Part& part : drift.parts) write_part(w, part);
  w.end_array();
}

net::Task<Result<Reply>> get_drift(Backend& backend, const Request& request) {
  co_return tell(backend, request);
}

}  // namespace weir::admin
