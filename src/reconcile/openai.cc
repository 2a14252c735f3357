// OpenAI: pages of daily buckets, of /v1/organization/costs (dollars by line item) or of
// /v1/organization/usage/* (tokens by model). Several pages may follow each other, one a line, or
// stand in an array.
#include <fmt/format.h>

#include "base/text.h"
#include "reconcile/pages.h"
#include "reconcile/statement.h"
#include "store/day.h"

namespace weir::reconcile {

namespace {

using ledger::UsageClass;

void add_tokens(Line line, UsageClass meter, int64_t tokens, Statement& into) {
  if (tokens <= 0) return;
  line.meter = meter;
  line.tokens = tokens;
  into.lines.push_back(std::move(line));
}

void read_usage(const json::Value& result, int64_t day, Statement& into) {
  const auto count = [&result](std::string_view name) {
    return std::max<int64_t>(result[name].as_int64().value_or(0), 0);
  };
  Line line{.day = day, .provider = "openai", .model = result["model"].string_or("")};
  if (line.model.empty()) {
    ++into.left_out["usage that is not grouped by model"];
    return;
  }
  line.tier = result["batch"].as_bool().value_or(false)
                  ? "batch"
                  : tier_of(result["service_tier"].string_or(""));
  const int64_t cached = count("input_cached_tokens");
  add_tokens(line, UsageClass::cache_read, cached, into);
  // Text tokens, cached ones among them.
  add_tokens(line, UsageClass::input, count("input_tokens") - cached, into);
  add_tokens(line, UsageClass::output, count("output_tokens"), into);
  add_tokens(line, UsageClass::input_audio, count("input_audio_tokens"), into);
  add_tokens(line, UsageClass::output_audio, count("output_audio_tokens"), into);
}

// "gpt-4o-2024-08-06, cached input" names the model and the meter.
void read_cost(const json::Value& result, int64_t day, const ReadOptions& options,
               Statement& into) {
  const json::Value amount = result["amount"];
  const std::string item = result["line_item"].string_or("");
  if (item.empty()) {
    ++into.left_out["costs that are not grouped by line_item"];
    return;
  }
  const json::Value value = amount["value"];
  const std::string text = value.is_string() ? value.string_or("") : std::string(value.raw());
  const auto cost = dollars(text, 0, amount["currency"].string_or("usd"), options, into);
  if (!cost) return;
  const size_t comma = item.find(',');
  Line line{.day = day,
            .provider = "openai",
            .model = std::string(trim(item.substr(0, comma))),
            .tier = tier_of(item),
            .meter = {},
            .tokens = {},
            .cost = cost};
  if (comma != std::string::npos) line.meter = meter_of(item.substr(comma));
  into.lines.push_back(std::move(line));
}

}  // namespace

Result<void> read_openai(std::string_view text, const ReadOptions& options, Statement& into) {
  return for_each_page(text, [&](const json::Value& page) -> Result<void> {
    for (const json::Value& bucket : page["data"].elements()) {
      const auto start = bucket["start_time"].as_int64();
      if (!start) return fail(ErrorCode::invalid_argument, "a bucket without start_time");
      const int64_t day = store::day_of(*start * 1000);
      // Older clients of the API have named it so.
      const json::Value results = bucket["results"].exists() ? bucket["results"] : bucket["result"];
      for (const json::Value& result : results.elements()) {
        if (result["amount"].exists()) {
          read_cost(result, day, options, into);
        } else {
          read_usage(result, day, into);
        }
      }
    }
    return {};
  });
}

}  // namespace weir::reconcile
