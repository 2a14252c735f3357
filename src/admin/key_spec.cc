#include "admin/key_spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <initializer_list>

#include "base/date.h"

namespace weir::admin {

namespace {

using access::KeySpec;

constexpr size_t kNameBytesMax = 128;
constexpr size_t kListMax = 1000;

Error wrong(std::string_view field, std::string_view expected) {
  return {ErrorCode::invalid_argument, fmt::format("{}: expected {}", field, expected)};
}

bool is_absent(json::Value value) {
  return !value.exists() || value.is_null();
}

Result<void> read_text(json::Value body, std::string_view name, std::string& into) {
  const json::Value value = body[name];
  if (!value.exists()) return {};
  const auto text = value.is_null() ? std::string() : value.as_string();
  if (!text || text->size() > kNameBytesMax) {
    return fail(wrong(name, "a text of at most 128 bytes"));
  }
  into = *text;
  return {};
}

Result<void> read_count(json::Value object, std::string_view name, int64_t& into) {
  const json::Value value = object[name];
  if (!value.exists()) return {};
  const auto number = value.is_null() ? 0 : value.as_int64();
  if (!number || (*number <= 0 && !value.is_null())) {
    return fail(wrong(name, "a whole number above 0"));
  }
  into = *number;
  return {};
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

Result<void> read_rates(json::Value object, ledger::LimitRules& rules) {
  WEIR_CHECK_OK(read_count(object, "rpm", rules.requests_per_minute));
  WEIR_CHECK_OK(read_count(object, "tpm", rules.tokens_per_minute));
  return read_count(object, "concurrency", rules.concurrency);
}

// "limits" and "user_limits".
Result<void> read_limits(json::Value body, std::string_view name, ledger::LimitRules& rules) {
  const json::Value limits = body[name];
  WEIR_CHECK_OK(known_fields(limits, name, {"rpm", "tpm", "concurrency"}));
  if (limits.is_null()) {
    rules.requests_per_minute = rules.tokens_per_minute = rules.concurrency = 0;
  }
  return is_absent(limits) ? Result<void>{} : read_rates(limits, rules);
}

Result<void> read_model_limits(json::Value body, access::PartRules& parts) {
  const json::Value list = body["model_limits"];
  if (!list.exists()) return {};
  const Error unlike =
      wrong("model_limits", "a list of objects with model and limits, at most 100");
  if (!list.is_null() && !list.is_array()) return fail(unlike);
  parts.models.clear();
  for (const json::Value one : list.elements()) {
    if (!one.is_object() || parts.models.size() >= access::PartRules::kModelsMax) {
      return fail(unlike);
    }
    WEIR_CHECK_OK(known_fields(one, "model_limits", {"model", "rpm", "tpm", "concurrency"}));
    auto& [model, rules] = parts.models.emplace_back();
    WEIR_CHECK_OK(read_text(one, "model", model));
    if (model.empty()) return fail(unlike);
    WEIR_CHECK_OK(read_rates(one, rules));
  }
  return {};
}

Result<void> read_texts(json::Value body, std::string_view name, size_t most,
                        std::string_view expected, std::vector<std::string>& into) {
  const json::Value list = body[name];
  if (!list.exists()) return {};
  if (!list.is_null() && !list.is_array()) return fail(wrong(name, expected));
  into.clear();
  for (const json::Value text : list.elements()) {
    if (!text.is_string() || into.size() >= most) return fail(wrong(name, expected));
    into.push_back(text.string_or(""));
  }
  return {};
}

Result<void> read_tags(json::Value body, KeySpec& spec) {
  const json::Value tags = body["tags"];
  if (!tags.exists()) return {};
  if (tags.is_null()) spec.tags.clear();
  if (!tags.is_null() && !tags.is_object()) return fail(wrong("tags", "an object of texts"));
  for (const auto& [name, value] : tags.members()) {
    if (!value.is_string() && !value.is_null()) return fail(wrong("tags", "an object of texts"));
    const auto old = std::find_if(spec.tags.begin(), spec.tags.end(),
                                  [&](const auto& tag) { return tag.first == name; });
    if (value.is_null()) {
      if (old != spec.tags.end()) spec.tags.erase(old);
    } else if (old != spec.tags.end()) {
      old->second = value.string_or("");
    } else {
      spec.tags.emplace_back(name, value.string_or(""));
    }
  }
  if (spec.tags.size() > kListMax) return fail(wrong("tags", "an object of texts"));
  return {};
}

Result<void> read_capture(json::Value body, KeySpec& spec) {
  const json::Value capture = body["capture"];
  const json::Value refused = body["capture_refused"];
  if (!capture.exists() && !refused.exists()) return {};
  if (!is_absent(capture) && !capture.is_bool()) return fail(wrong("capture", "true or false"));
  spec.capture.reset();
  // "capture": false leaves it to the configuration; to refuse it has a word of its own.
  if (capture.as_bool() == true) spec.capture = true;
  if (is_absent(refused)) return {};
  if (!refused.is_bool() || (refused.as_bool() == true && spec.capture == true)) {
    return fail(wrong("capture_refused", "true or false, and true not beside \"capture\": true"));
  }
  if (refused.as_bool() == true) spec.capture = false;
  return {};
}

Result<void> read_expiry_and_priority(json::Value body, KeySpec& spec) {
  if (const json::Value expires = body["expires"]; expires.exists()) {
    const auto at = expires.is_null() ? 0 : parse_rfc3339(expires.string_or(""));
    if (!at) return fail(wrong("expires", "a time such as 2027-01-01T00:00:00Z"));
    spec.expires_ms = *at;
  }
  if (const json::Value priority = body["priority"]; priority.exists()) {
    spec.priority = ledger::priority_of(priority.string_or(""));
    if (!spec.priority && !priority.is_null()) {
      return fail(wrong("priority", "high, normal or low"));
    }
  }
  return {};
}

}  // namespace

Result<KeySpec> read_key_spec(json::Value body, KeySpec spec) {
  if (!body.is_object()) return fail(wrong("body", "a JSON object"));
  WEIR_CHECK_OK(known_fields(body, "body",
                             {"name", "team", "project", "models", "limits", "model_limits",
                              "user_limits", "budget", "budgets", "priority", "owner", "expires",
                              "capture", "capture_refused", "addresses", "endpoints", "tags"}));
  WEIR_CHECK_OK(read_text(body, "name", spec.name));
  if (spec.name.empty()) return fail(wrong("name", "a name for the key"));
  WEIR_CHECK_OK(read_text(body, "team", spec.team));
  WEIR_CHECK_OK(read_text(body, "project", spec.project));
  WEIR_CHECK_OK(read_text(body, "owner", spec.owner));
  WEIR_CHECK_OK(read_texts(body, "models", kListMax, "a list of model names", spec.models));
  for (auto [name, into] :
       {std::pair("addresses", &spec.addresses), std::pair("endpoints", &spec.endpoints)}) {
    WEIR_CHECK_OK(read_texts(body, name, access::kRangesMax, "a list of texts", *into));
  }
  WEIR_CHECK_OK(access::KeyFence::make(spec.addresses, spec.endpoints));
  WEIR_CHECK_OK(read_tags(body, spec));
  WEIR_CHECK_OK(read_limits(body, "limits", spec.limits));
  WEIR_CHECK_OK(read_limits(body, "user_limits", spec.parts.users));
  WEIR_CHECK_OK(read_model_limits(body, spec.parts));
  if (body["budget"].exists() || body["budgets"].exists()) {
    WEIR_TRY(spec.limits.budgets, budget_fields(body));
  }
  WEIR_CHECK_OK(read_expiry_and_priority(body, spec));
  WEIR_CHECK_OK(read_capture(body, spec));
  return spec;
}

}  // namespace weir::admin
