// Google Cloud's detailed billing export, as BigQuery writes JSON lines. A model is a part of the
// SKU's description; credits are amounts of their own and belong to the cost.
#include "ledger/scale.h"
#include "reconcile/pages.h"
#include "reconcile/statement.h"
#include "store/day.h"

namespace weir::reconcile {

namespace {

std::string number_text(const json::Value& value) {
  return value.is_string() ? value.string_or("") : std::string(value.raw());
}

std::string provider_of(const std::string& service) {
  if (service.find("Vertex AI") != std::string::npos) return "vertex_ai";
  if (service.find("Agent Platform") != std::string::npos) return "vertex_ai";
  if (service.find("Gemini") != std::string::npos ||
      service.find("Generative Language") != std::string::npos) {
    return "gemini";
  }
  return {};
}

}  // namespace

Result<void> read_gcp(std::string_view text, const ReadOptions& options, Statement& into) {
  return for_each_page(text, [&](const json::Value& row) -> Result<void> {
    const std::string start = row["usage_start_time"].string_or("");
    const auto day = store::parse_day(std::string_view(start).substr(0, 10));
    if (!day) return fail(ErrorCode::invalid_argument, "a line without usage_start_time");
    Line line{.day = *day, .provider = provider_of(row["service"]["description"].string_or(""))};
    if (line.provider.empty()) {
      ++into.left_out["of other services"];
      return {};
    }
    line.model = row["sku"]["description"].string_or("");
    line.tier = tier_of(line.model);
    line.meter = meter_of(line.model);
    const std::string currency = row["currency"].string_or("USD");
    line.cost = dollars(number_text(row["cost"]), 0, currency, options, into);
    if (!line.cost) return {};
    for (const json::Value& credit : row["credits"].elements()) {
      const auto amount = dollars(number_text(credit["amount"]), 0, currency, options, into);
      if (amount) *line.cost += *amount;
    }
    const auto tokens = ledger::scaled_decimal(number_text(row["usage"]["amount"]), 0, true);
    if (line.meter && tokens) line.tokens = *tokens;
    into.lines.push_back(std::move(line));
    return {};
  });
}

}  // namespace weir::reconcile
