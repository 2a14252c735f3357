// Virtual keys: listed, made, changed, rotated, revoked. Keys that the configuration declares are
// shown and cannot be changed here.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <tuple>

#include "admin/key_spec.h"
#include "admin/routes.h"
#include "base/date.h"
#include "base/json/writer.h"

namespace weir::admin {
namespace {

using access::StoredKey;

constexpr int64_t kOverlapSecondsMax = 30LL * 86'400;

Error wrong(std::string_view field, std::string_view expected) {
  return {ErrorCode::invalid_argument, fmt::format("{}: expected {}", field, expected)};
}

bool is_absent(json::Value value) {
  return !value.exists() || value.is_null();
}

void write_rates(json::Writer& w, const ledger::LimitRules& rules) {
  const auto count = [&](std::string_view name, int64_t value) {
    w.key(name);
    value > 0 ? w.number(value) : w.null();
  };
  count("rpm", rules.requests_per_minute);
  count("tpm", rules.tokens_per_minute);
  count("concurrency", rules.concurrency);
}

void write_limits(json::Writer& w, const access::KeySpec& spec) {
  const ledger::LimitRules& rules = spec.limits;
  w.key("limits").begin_object();
  write_rates(w, rules);
  w.end_object().key("model_limits").begin_array();
  for (const auto& [model, limits] : spec.parts.models) {
    w.begin_object().member("model", model);
    write_rates(w, limits);
    w.end_object();
  }
  w.end_array().key("user_limits").begin_object();
  write_rates(w, spec.parts.users);
  w.end_object().key("budgets").begin_array();
  for (const ledger::BudgetRule& rule : rules.budgets) {
    w.begin_object()
        .member("usd", rule.limit.to_usd())
        .member("per", ledger::to_string(rule.window));
    if (rule.days > 0) w.member("days", rule.days);
    w.member("hard", rule.hard).end_object();
  }
  w.end_array();
}

void write_time(json::Writer& w, std::string_view name, int64_t wall_ms) {
  w.key(name);
  wall_ms > 0 ? w.string(rfc3339(wall_ms)) : w.null();
}

void write_key(json::Writer& w, const StoredKey& key) {
  w.member("id", key.id)
      .member("name", key.spec.name)
      .member("masked", key.masked)
      .member("source", "console")
      .member("team", key.spec.team)
      .member("project", key.spec.project);
  w.key("models").begin_array();
  for (const std::string& model : key.spec.models) w.string(model);
  w.end_array();
  write_limits(w, key.spec);
  w.key("priority");
  key.spec.priority ? w.string(ledger::to_string(*key.spec.priority)) : w.null();
  w.member("owner", key.spec.owner);
  w.key("tags").begin_object();
  for (const auto& [name, value] : key.spec.tags) w.member(name, value);
  w.end_object();
  w.member("capture", key.spec.capture.value_or(false));
  w.member("capture_refused", key.spec.capture == false);
  for (auto [name, list] :
       {std::pair("addresses", &key.spec.addresses), std::pair("endpoints", &key.spec.endpoints)}) {
    w.key(name).begin_array();
    for (const std::string& text : *list) w.string(text);
    w.end_array();
  }
  write_time(w, "expires", key.spec.expires_ms);
  write_time(w, "created", key.created_ms);
  write_time(w, "revoked", key.revoked_ms);
}

void write_configured(json::Writer& w, const access::Principal& who) {
  w.begin_object()
      .member("id", who.key_id)
      .member("name", who.name)
      .member("masked", who.masked)
      .member("source", "file")
      .member("team", who.team)
      .member("project", who.project);
  w.key("models").begin_array();
  for (const std::string& model : who.models) w.string(model);
  w.end_array();
  w.member("capture", who.capture.value_or(false));
  write_time(w, "expires", who.expires_ms);
  w.end_object();
}

// For the audit log.
std::string key_text(const StoredKey& key) {
  std::string text;
  json::Writer w(text);
  w.begin_object();
  write_key(w, key);
  w.end_object();
  return text;
}

void note_before(Backend& backend, const Request& request) {
  if (const auto key = backend.keys().get(request.path_value)) {
    request.note->before = key_text(*key);
  }
}

// After a change the next snapshot knows the key; a failure of that is told, the change stands.
Result<Reply> key_reply(Backend& backend, const Request& request, const access::NewKey& made,
                        int status) {
  request.note->object = made.stored.id;
  request.note->after = key_text(made.stored);
  WEIR_CHECK_OK(backend.keys_changed());
  Reply reply{.status = status, .body = {}};
  json::Writer w(reply.body);
  w.begin_object().member("key", made.key.reveal());
  write_key(w, made.stored);
  w.end_object();
  return reply;
}

}  // namespace

net::Task<Result<Reply>> list_budgets(Backend& backend, const Request&) {
  std::vector<ledger::BudgetStanding> standings = backend.budgets();
  std::sort(standings.begin(), standings.end(), [](const auto& a, const auto& b) {
    return std::tie(a.subject, a.rule.window, a.rule.hard) <
           std::tie(b.subject, b.rule.window, b.rule.hard);
  });
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().key("budgets").begin_array();
  for (const ledger::BudgetStanding& standing : standings) {
    w.begin_object()
        .member("subject", standing.subject)
        .member("usd", standing.rule.limit.to_usd())
        .member("per", ledger::to_string(standing.rule.window));
    if (standing.rule.days > 0) w.member("days", standing.rule.days);
    w.member("hard", standing.rule.hard)
        .member("spent_usd", standing.spent.to_usd())
        .member("reserved_usd", standing.reserved.to_usd())
        .end_object();
  }
  w.end_array().end_object();
  co_return reply;
}

net::Task<Result<Reply>> list_anomalies(Backend& backend, const Request& request) {
  int64_t limit = 100;
  if (const auto given = request.query.find("limit"); given != request.query.end()) {
    const auto [end, error] =
        std::from_chars(given->second.data(), given->second.data() + given->second.size(), limit);
    if (error != std::errc() || end != given->second.data() + given->second.size() || limit < 1 ||
        limit > ledger::AlertBook::kAnomaliesMax) {
      co_return fail(wrong("limit", "a number from 1 to 1000"));
    }
  }
  const auto told = backend.anomalies(limit);
  if (!told) co_return fail(told.error());
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().key("anomalies").begin_array();
  for (const ledger::ToldAnomaly& one : *told) w.raw(one.body);
  w.end_array().member("learning_hours", backend.anomaly_state().learning_hours).end_object();
  co_return reply;
}

net::Task<Result<Reply>> list_keys(Backend& backend, const Request&) {
  auto stored = backend.keys().list(true);
  if (!stored) co_return fail(std::move(stored).error());
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().key("keys").begin_array();
  const auto snapshot = backend.snapshot();
  for (const access::KeyEntry& entry : snapshot->keys.entries()) {
    const bool made_here = std::any_of(stored->begin(), stored->end(), [&](const StoredKey& key) {
      return key.id == entry.principal.key_id;
    });
    if (!made_here) write_configured(w, entry.principal);
  }
  for (const StoredKey& key : *stored) {
    w.begin_object();
    write_key(w, key);
    w.end_object();
  }
  w.end_array().end_object();
  co_return reply;
}

net::Task<Result<Reply>> create_key(Backend& backend, const Request& request) {
  auto spec = read_key_spec(request.body, {});
  if (!spec) co_return fail(std::move(spec).error());
  auto made = backend.keys().create(*spec, SystemClock().wall_ms());
  if (!made) co_return fail(std::move(made).error());
  co_return key_reply(backend, request, *made, 201);
}

net::Task<Result<Reply>> change_key(Backend& backend, const Request& request) {
  const auto before = backend.keys().get(request.path_value);
  if (!before) co_return fail(before.error());
  request.note->before = key_text(*before);
  auto spec = read_key_spec(request.body, before->spec);
  if (!spec) co_return fail(std::move(spec).error());
  auto changed = backend.keys().update(request.path_value, *spec);
  if (!changed) co_return fail(std::move(changed).error());
  request.note->after = key_text(*changed);
  if (auto generation = backend.keys_changed(); !generation) {
    co_return fail(std::move(generation).error());
  }
  co_return Reply{.body = key_text(*changed)};
}

net::Task<Result<Reply>> rotate_key(Backend& backend, const Request& request) {
  const json::Value overlap = request.body["overlap_s"];
  const int64_t overlap_s = is_absent(overlap) ? 0 : overlap.as_int64().value_or(-1);
  if (overlap_s < 0 || overlap_s > kOverlapSecondsMax) {
    co_return fail(wrong("overlap_s", "seconds from 0 to 2592000 (30 days)"));
  }
  note_before(backend, request);
  auto made = backend.keys().rotate(request.path_value, SystemClock().wall_ms(), overlap_s * 1000);
  if (!made) co_return fail(std::move(made).error());
  co_return key_reply(backend, request, *made, 200);
}

net::Task<Result<Reply>> revoke_key(Backend& backend, const Request& request) {
  note_before(backend, request);
  auto revoked = backend.keys().revoke(request.path_value, SystemClock().wall_ms());
  if (!revoked) co_return fail(std::move(revoked).error());
  if (auto generation = backend.keys_changed(); !generation) {
    co_return fail(std::move(generation).error());
  }
  co_return Reply{.body = R"({"revoked":true})"};
}

}  // namespace weir::admin
