// Virtual keys: listed, made, rotated, revoked. Keys that the configuration declares are shown and
// cannot be changed here.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <initializer_list>
#include <tuple>

#include "admin/routes.h"
#include "base/date.h"
#include "base/json/writer.h"

namespace weir::admin {
namespace {

using access::KeySpec;
using access::StoredKey;

constexpr size_t kNameBytesMax = 128;
constexpr size_t kListMax = 1000;
constexpr int64_t kOverlapSecondsMax = 30LL * 86'400;

Error wrong(std::string_view field, std::string_view expected) {
  return {ErrorCode::invalid_argument, fmt::format("{}: expected {}", field, expected)};
}

Result<std::string> text_field(json::Value body, std::string_view name) {
  const json::Value value = body[name];
  if (!value.exists() || value.is_null()) return std::string();
  const auto text = value.as_string();
  if (!text || text->size() > kNameBytesMax)
    return fail(wrong(name, "a text of at most 128 bytes"));
  return *text;
}

Result<int64_t> count_field(json::Value object, std::string_view name) {
  const json::Value value = object[name];
  if (!value.exists() || value.is_null()) return 0;
  const auto number = value.as_int64();
  if (!number || *number <= 0) return fail(wrong(name, "a whole number above 0"));
  return *number;
}

bool is_absent(json::Value value) {
  return !value.exists() || value.is_null();
}

// A misspelt limit must not make a key without limits.
Result<void> known_fields(json::Value object, std::string_view name,
                          std::initializer_list<std::string_view> fields) {
  if (is_absent(object)) return {};
  if (!object.is_object()) return fail(wrong(name, "a JSON object"));
  for (const auto& [key, value] : object.members()) {
    if (std::find(fields.begin(), fields.end(), key) != fields.end()) continue;
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}: there is no field \"{}\"; there are {}", name, key,
                            fmt::join(fields, ", ")));
  }
  return {};
}

Result<ledger::BudgetRule> read_budget(json::Value budget, std::string_view name) {
  if (!budget.is_object()) return fail(wrong(name, "an object with usd and per"));
  WEIR_CHECK_OK(known_fields(budget, name, {"usd", "per", "days", "hard"}));
  ledger::BudgetRule rule;
  const json::Value usd = budget["usd"];
  // As text or as a number: the number's own digits are read, never a floating-point value.
  const std::string amount = usd.is_string() ? usd.string_or("") : std::string(usd.raw());
  auto money = Money::parse_usd(amount);
  if (!money || money->nano() <= 0) {
    return fail(wrong(fmt::format("{}.usd", name), "an amount of dollars"));
  }
  rule.limit = *money;
  if (const json::Value per = budget["per"]; !is_absent(per)) {
    const auto window = ledger::window_of(per.string_or(""));
    if (!window) {
      return fail(wrong(fmt::format("{}.per", name), "day, week, month, rolling or total"));
    }
    rule.window = *window;
  }
  if (const json::Value days = budget["days"]; !is_absent(days)) {
    rule.days = static_cast<int32_t>(std::clamp<int64_t>(days.as_int64().value_or(0), 0, 1000));
  }
  if (const json::Value hard = budget["hard"]; !is_absent(hard)) {
    if (!hard.is_bool()) return fail(wrong(fmt::format("{}.hard", name), "true or false"));
    rule.hard = *hard.as_bool();
  }
  return rule;
}

// "budget": one, "budgets": several; both are taken.
Result<std::vector<ledger::BudgetRule>> budget_fields(json::Value body) {
  std::vector<ledger::BudgetRule> rules;
  if (!is_absent(body["budget"])) {
    WEIR_TRY(rules.emplace_back(), read_budget(body["budget"], "budget"));
  }
  const json::Value several = body["budgets"];
  if (!is_absent(several) && !several.is_array()) {
    return fail(wrong("budgets", "a list of budgets"));
  }
  for (const json::Value budget : several.elements()) {
    if (rules.size() >= 2 * ledger::kBudgetWindows) return fail(wrong("budgets", "at most ten"));
    WEIR_TRY(rules.emplace_back(), read_budget(budget, "budgets"));
  }
  WEIR_CHECK_OK(ledger::check_budgets(rules));
  return rules;
}

Result<KeySpec> spec_of(json::Value body) {
  if (!body.is_object()) return fail(wrong("body", "a JSON object with at least a name"));
  WEIR_CHECK_OK(
      known_fields(body, "body",
                   {"name", "team", "project", "models", "limits", "budget", "budgets", "expires",
                    "capture", "capture_refused", "addresses", "endpoints", "tags"}));
  KeySpec spec;
  WEIR_TRY(spec.name, text_field(body, "name"));
  if (spec.name.empty()) return fail(wrong("name", "a name for the key"));
  WEIR_TRY(spec.team, text_field(body, "team"));
  WEIR_TRY(spec.project, text_field(body, "project"));
  if (!is_absent(body["models"]) && !body["models"].is_array()) {
    return fail(wrong("models", "a list of model names"));
  }
  for (auto [name, into] :
       {std::pair("addresses", &spec.addresses), std::pair("endpoints", &spec.endpoints)}) {
    if (is_absent(body[name])) continue;
    for (const json::Value text : body[name].elements()) into->push_back(text.string_or(""));
    if (!body[name].is_array() || into->size() > access::kRangesMax) {
      return fail(wrong(name, "a list of texts"));
    }
  }
  WEIR_CHECK_OK(access::KeyFence::make(spec.addresses, spec.endpoints));
  for (const json::Value model : body["models"].elements()) {
    if (!model.is_string() || spec.models.size() >= kListMax) {
      return fail(wrong("models", "a list of model names"));
    }
    spec.models.push_back(model.string_or(""));
  }
  if (!is_absent(body["tags"]) && !body["tags"].is_object()) {
    return fail(wrong("tags", "an object of texts"));
  }
  for (const auto& [name, value] : body["tags"].members()) {
    if (!value.is_string() || spec.tags.size() >= kListMax) {
      return fail(wrong("tags", "an object of texts"));
    }
    spec.tags.emplace_back(name, value.string_or(""));
  }
  const json::Value limits = body["limits"];
  WEIR_CHECK_OK(known_fields(limits, "limits", {"rpm", "tpm", "concurrency"}));
  WEIR_TRY(spec.limits.requests_per_minute, count_field(limits, "rpm"));
  WEIR_TRY(spec.limits.tokens_per_minute, count_field(limits, "tpm"));
  WEIR_TRY(spec.limits.concurrency, count_field(limits, "concurrency"));
  WEIR_TRY(spec.limits.budgets, budget_fields(body));
  if (const json::Value expires = body["expires"]; expires.exists() && !expires.is_null()) {
    const auto at = parse_rfc3339(expires.string_or(""));
    if (!at) return fail(wrong("expires", "a time such as 2027-01-01T00:00:00Z"));
    spec.expires_ms = *at;
  }
  if (!is_absent(body["capture"]) && !body["capture"].is_bool()) {
    return fail(wrong("capture", "true or false"));
  }
  // "capture": false leaves it to the configuration; to refuse it has a word of its own.
  if (body["capture"].as_bool() == true) spec.capture = true;
  if (const json::Value refused = body["capture_refused"]; !is_absent(refused)) {
    if (!refused.is_bool() || (refused.as_bool() == true && spec.capture == true)) {
      return fail(wrong("capture_refused", "true or false, and true not beside \"capture\": true"));
    }
    if (refused.as_bool() == true) spec.capture = false;
  }
  return spec;
}

void write_limits(json::Writer& w, const ledger::LimitRules& rules) {
  const auto count = [&](std::string_view name, int64_t value) {
    w.key(name);
    value > 0 ? w.number(value) : w.null();
  };
  w.key("limits").begin_object();
  count("rpm", rules.requests_per_minute);
  count("tpm", rules.tokens_per_minute);
  count("concurrency", rules.concurrency);
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
  write_limits(w, key.spec.limits);
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
  auto spec = spec_of(request.body);
  if (!spec) co_return fail(std::move(spec).error());
  auto made = backend.keys().create(*spec, SystemClock().wall_ms());
  if (!made) co_return fail(std::move(made).error());
  co_return key_reply(backend, request, *made, 201);
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
