// Anthropic: pages of daily buckets, of /v1/organizations/cost_report (cents, as decimal text) or
// of usage_report/messages (tokens by model). Priority Tier is in the usage and never in the costs.
#include "base/date.h"
#include "reconcile/pages.h"
#include "reconcile/statement.h"
#include "store/day.h"

namespace weir::reconcile {

namespace {

using ledger::UsageClass;

constexpr std::pair<std::string_view, UsageClass> kTokenTypes[] = {
    {"uncached_input_tokens", UsageClass::input},
    {"output_tokens", UsageClass::output},
    {"cache_read_input_tokens", UsageClass::cache_read},
    {"cache_creation.ephemeral_5m_input_tokens", UsageClass::cache_write_5m},
    {"cache_creation.ephemeral_1h_input_tokens", UsageClass::cache_write_1h}};

void read_cost(const json::Value& result, int64_t day, const ReadOptions& options,
               Statement& into) {
  Line line{.day = day, .provider = "anthropic", .model = result["model"].string_or("")};
  // Searches and code execution are told without a model: they are a line of their own.
  if (line.model.empty()) line.model = result["cost_type"].string_or("");
  if (line.model.empty()) line.model = result["description"].string_or("");
  if (line.model.empty()) {
    ++into.left_out["costs that are not grouped by description"];
    return;
  }
  line.tier = tier_of(result["service_tier"].string_or(""));
  const json::Value amount = result["amount"];
  const std::string text = amount.is_string() ? amount.string_or("") : std::string(amount.raw());
  line.cost = dollars(text, -2, result["currency"].string_or("USD"), options, into);
  if (!line.cost) return;
  for (const auto& [name, meter] : kTokenTypes) {
    if (result["token_type"].equals(name)) line.meter = meter;
  }
  into.lines.push_back(std::move(line));
}

void read_usage(const json::Value& result, int64_t day, Statement& into) {
  Line line{.day = day, .provider = "anthropic", .model = result["model"].string_or("")};
  if (line.model.empty()) {
    ++into.left_out["usage that is not grouped by model"];
    return;
  }
  line.tier = tier_of(result["service_tier"].string_or(""));
  const json::Value created = result["cache_creation"];
  for (const auto& [name, meter] : kTokenTypes) {
    const bool write = name.starts_with("cache_creation.");
    const json::Value count = write ? created[name.substr(name.find('.') + 1)] : result[name];
    const int64_t tokens = count.as_int64().value_or(0);
    if (tokens <= 0) continue;
    Line one = line;
    one.meter = meter;
    one.tokens = tokens;
    into.lines.push_back(std::move(one));
  }
}

}  // namespace

Result<void> read_anthropic(std::string_view text, const ReadOptions& options, Statement& into) {
  return for_each_page(text, [&](const json::Value& page) -> Result<void> {
    for (const json::Value& bucket : page["data"].elements()) {
      const auto start = parse_rfc3339(bucket["starting_at"].string_or(""));
      if (!start) return fail(ErrorCode::invalid_argument, "a bucket without starting_at");
      for (const json::Value& result : bucket["results"].elements()) {
        if (result["amount"].exists()) {
          read_cost(result, store::day_of(*start), options, into);
        } else {
          read_usage(result, store::day_of(*start), into);
        }
      }
    }
    return {};
  });
}

}  // namespace weir::reconcile
