#include "ledger/export.h"

#include <fmt/format.h>

#include "base/date.h"
#include "base/json/writer.h"
#include "ledger/focus.h"
#include "store/day.h"

namespace weir::ledger {

namespace {

constexpr uint32_t kPageRows = 1000;

// One field of a row, by name, for CSV and JSON lines.
struct Field {
  std::string_view name;
  bool is_text;
  std::string (*read)(const RequestRow& row);
};

std::string number(int64_t value) {
  return fmt::format("{}", value);
}

constexpr Field kFields[] = {
    {"id", true, [](const RequestRow& r) { return "req_" + r.id.to_text(); }},
    {"time", true, [](const RequestRow& r) { return rfc3339(r.start_ms); }},
    {"key", true, [](const RequestRow& r) { return r.key_id; }},
    {"project", true, [](const RequestRow& r) { return r.project; }},
    {"team", true, [](const RequestRow& r) { return r.team; }},
    {"user", true, [](const RequestRow& r) { return r.user; }},
    {"tags", true, [](const RequestRow& r) { return r.tags; }},
    {"endpoint", true, [](const RequestRow& r) { return r.endpoint; }},
    {"model", true, [](const RequestRow& r) { return r.model; }},
    {"deployment", true, [](const RequestRow& r) { return r.deployment; }},
    {"account", true, [](const RequestRow& r) { return r.account; }},
    {"provider", true, [](const RequestRow& r) { return r.provider; }},
    {"provider_model", true, [](const RequestRow& r) { return r.provider_model; }},
    {"service_tier", true, [](const RequestRow& r) { return r.usage.service_tier; }},
    {"attempts", false, [](const RequestRow& r) { return number(r.attempts); }},
    {"status", false, [](const RequestRow& r) { return number(r.status); }},
    {"outcome", true, [](const RequestRow& r) { return std::string(to_string(r.outcome)); }},
    {"error_code", true, [](const RequestRow& r) { return r.error_code; }},
    {"input", false, [](const RequestRow& r) { return number(r.usage.input); }},
    {"cache_read", false, [](const RequestRow& r) { return number(r.usage.cache_read); }},
    {"cache_write_5m", false, [](const RequestRow& r) { return number(r.usage.cache_write_5m); }},
    {"cache_write_1h", false, [](const RequestRow& r) { return number(r.usage.cache_write_1h); }},
    {"input_audio", false, [](const RequestRow& r) { return number(r.usage.input_audio); }},
    {"input_image", false, [](const RequestRow& r) { return number(r.usage.input_image); }},
    {"output", false, [](const RequestRow& r) { return number(r.usage.output); }},
    {"output_audio", false, [](const RequestRow& r) { return number(r.usage.output_audio); }},
    {"output_image", false, [](const RequestRow& r) { return number(r.usage.output_image); }},
    {"reasoning", false, [](const RequestRow& r) { return number(r.usage.reasoning); }},
    {"tool_calls", false, [](const RequestRow& r) { return number(r.usage.tool_calls); }},
    {"cost_usd", true, [](const RequestRow& r) { return r.cost.to_usd(); }},
    {"list_usd", true, [](const RequestRow& r) { return r.list_cost.to_usd(); }},
    {"corrects", true,
     [](const RequestRow& r) {
       return r.corrects.value() == 0 ? std::string() : "req_" + r.corrects.to_text();
     }},
    {"cost_state", true, [](const RequestRow& r) { return std::string(to_string(r.cost_state)); }},
    {"price_row", true, [](const RequestRow& r) { return r.price_row; }},
    {"rates", true, [](const RequestRow& r) { return r.rates; }},
    {"total_us", false, [](const RequestRow& r) { return number(r.total_us); }},
    {"ttft_us", false, [](const RequestRow& r) { return number(r.ttft_us); }},
};

void append_csv(std::string& out, const RequestRow& row) {
  bool first = true;
  for (const Field& field : kFields) {
    if (!first) out += ',';
    first = false;
    append_csv_field(out, field.read(row));
  }
  out += "\r\n";
}

void append_json(std::string& out, const RequestRow& row) {
  json::Writer w(out);
  w.begin_object();
  for (const Field& field : kFields) {
    if (field.is_text) {
      w.member(field.name, field.read(row));
    } else {
      w.member_raw(field.name, field.read(row));
    }
  }
  w.end_object();
  out += '\n';
}

std::string head_of(ExportFormat format) {
  if (format == ExportFormat::jsonl) return {};
  if (format != ExportFormat::csv) return focus_head(format == ExportFormat::focus_1_4);
  std::string head;
  for (const Field& field : kFields) {
    head += fmt::format("{}{}", head.empty() ? "" : ",", field.name);
  }
  return head + "\r\n";
}

ReportCurrency currency_of(const ExportQuery& query, int64_t day) {
  ReportCurrency currency;
  if (query.currency_rates.empty()) return currency;
  currency.code = query.currency;
  currency.nano_per_usd = query.currency_rates.front().second;
  for (const auto& [from_ms, nano_per_usd] : query.currency_rates) {
    if (from_ms <= day * store::kDayMs) currency.nano_per_usd = nano_per_usd;
  }
  return currency;
}

}  // namespace

std::optional<ExportFormat> export_format_of(std::string_view text) {
  if (text == "csv") return ExportFormat::csv;
  if (text == "jsonl") return ExportFormat::jsonl;
  if (text == "focus-1.2") return ExportFormat::focus_1_2;
  if (text == "focus-1.4" || text == "focus") return ExportFormat::focus_1_4;
  return std::nullopt;
}

std::string_view to_string(ExportFormat format) {
  switch (format) {
    case ExportFormat::csv:
      return "csv";
    case ExportFormat::jsonl:
      return "jsonl";
    case ExportFormat::focus_1_2:
      return "focus-1.2";
    case ExportFormat::focus_1_4:
      return "focus-1.4";
  }
  return "";
}

Result<int64_t> rows_about(const LogReader& reader, const ExportQuery& query) {
  WEIR_TRY(const std::vector<Sums> sums, reader.sums({.since_ms = query.since_ms,
                                                      .until_ms = query.until_ms,
                                                      .key_id = query.only.key_id,
                                                      .team = query.only.team,
                                                      .project = query.only.project,
                                                      .model = query.only.model,
                                                      .provider = query.only.provider}));
  return sums.empty() ? 0 : sums.front().requests;
}

Result<void> export_rows(const LogReader& reader, const ExportQuery& query,
                         const ExportWrite& write) {
  if (const std::string head = head_of(query.format); !head.empty()) WEIR_CHECK_OK(write(head));
  const bool focus =
      query.format == ExportFormat::focus_1_2 || query.format == ExportFormat::focus_1_4;
  int64_t rows = 0;
  for (int64_t day = store::day_of(query.since_ms); day * store::kDayMs < query.until_ms; ++day) {
    RowFilter filter = query.only;
    filter.since_ms = std::max(query.since_ms, day * store::kDayMs);
    filter.until_ms = std::min(query.until_ms, (day + 1) * store::kDayMs);
    filter.limit = kPageRows;
    filter.corrections = true;
    filter.before.reset();
    filter.budget_us = 0;
    FocusDay lines(day, query.organization, query.format == ExportFormat::focus_1_4,
                   currency_of(query, day));
    do {
      WEIR_TRY(const RowPage page, reader.list(filter));
      std::string piece;
      for (const RequestRow& row : page.rows) {
        if (focus) {
          lines.add(row);
        } else if (query.format == ExportFormat::csv) {
          append_csv(piece, row);
        } else {
          append_json(piece, row);
        }
      }
      if (!piece.empty()) WEIR_CHECK_OK(write(piece));
      rows += static_cast<int64_t>(page.rows.size());
      if (query.progress) WEIR_CHECK_OK(query.progress(rows));
      filter.before = page.next;
    } while (filter.before);
    if (const std::string text = lines.take(); !text.empty()) WEIR_CHECK_OK(write(text));
  }
  return {};
}

}  // namespace weir::ledger
