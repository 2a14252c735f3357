// Requests and usage: the ledger, read.
#include <fmt/format.h>

#include "admin/routes.h"
#include "base/date.h"
#include "base/json/writer.h"
#include "base/text.h"
#include "ledger/cost.h"

namespace weir::admin {
namespace {

using ledger::RequestRow;

constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kSearchUs = 40'000;                // the control plane has other things to do
constexpr int64_t kTimeMsMax = 253'402'300'799'999;  // 9999-12-31: later is a mistake

std::string text_of(const Request& request, const std::string& name) {
  const auto at = request.query.find(name);
  return at == request.query.end() ? std::string() : at->second;
}

Result<int64_t> number_of(const Request& request, const std::string& name, int64_t fallback,
                          int64_t least, int64_t most) {
  const auto at = request.query.find(name);
  if (at == request.query.end()) return fallback;
  const auto value = parse_int64(at->second);
  if (!value || *value < least || *value > most) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{}: expected a number from {} to {}, got \"{}\"", name, least, most,
                            at->second.substr(0, 40)));
  }
  return *value;
}

void write_usage(json::Writer& w, const dialect::Usage& usage) {
  w.key("usage")
      .begin_object()
      .member("input", usage.input)
      .member("cache_read", usage.cache_read)
      .member("cache_write_5m", usage.cache_write_5m)
      .member("cache_write_1h", usage.cache_write_1h)
      .member("input_audio", usage.input_audio)
      .member("input_image", usage.input_image)
      .member("output", usage.output)
      .member("output_audio", usage.output_audio)
      .member("output_image", usage.output_image)
      .member("reasoning", usage.reasoning)
      .member("tool_calls", usage.tool_calls)
      .member("service_tier", usage.service_tier)
      .end_object();
}

void write_row(json::Writer& w, const RequestRow& row) {
  w.member("id", "req_" + row.id.to_text())
      .member("time", rfc3339(row.start_ms))
      .member("start_ms", row.start_ms)
      .member("key", row.key_id)
      .member("team", row.team)
      .member("project", row.project)
      .member("user", row.user)
      .member_raw("tags", row.tags.empty() ? "{}" : row.tags)
      .member("dialect", row.dialect)
      .member("endpoint", row.endpoint)
      .member("model_asked", row.model_asked)
      .member("model", row.model)
      .member("deployment", row.deployment)
      .member("account", row.account)
      .member("provider", row.provider)
      .member("provider_model", row.provider_model)
      .member_raw("attempts", row.attempts_text.empty() ? "[]" : row.attempts_text)
      .member("status", row.status)
      .member("outcome", ledger::to_string(row.outcome))
      .member("error_code", row.error_code)
      .member("streamed", row.streamed)
      .member("total_us", row.total_us)
      .member("ttft_us", row.ttft_us)
      .member("upstream_us", row.upstream_us);
  write_usage(w, row.usage);
  w.member("cost_usd", row.cost.to_usd())
      .member("cost_nano_usd", row.cost.nano())
      .member("cost_state", ledger::to_string(row.cost_state))
      .member("list_cost_usd", row.list_cost.to_usd())
      .member("price_row", row.price_row)
      .member_raw("rates", row.rates.empty() ? "{}" : row.rates)
      .member("corrects", row.corrects.value() == 0 ? "" : "req_" + row.corrects.to_text())
      .member("config_generation", row.config_generation)
      .member("bytes_in", row.bytes_in)
      .member("bytes_out", row.bytes_out)
      .member("captured", row.captured);
}

std::optional<Id> id_of(std::string_view text) {
  if (text.starts_with("req_")) text.remove_prefix(4);
  return Id::from_text(text);
}

Result<std::optional<ledger::Outcome>> outcome_of(const std::string& text) {
  using ledger::Outcome;
  if (text.empty()) return std::nullopt;
  for (const Outcome outcome :
       {Outcome::ok, Outcome::error, Outcome::aborted, Outcome::truncated, Outcome::denied}) {
    if (ledger::to_string(outcome) == text) return outcome;
  }
  return fail(ErrorCode::invalid_argument,
              fmt::format("outcome: expected ok, error, aborted, truncated or denied, got \"{}\"",
                          text.substr(0, 40)));
}

Result<ledger::SumBy> sum_by(const std::string& text) {
  using ledger::SumBy;
  static constexpr std::pair<std::string_view, SumBy> kNames[] = {{"", SumBy::none},
                                                                  {"none", SumBy::none},
                                                                  {"key", SumBy::key},
                                                                  {"team", SumBy::team},
                                                                  {"project", SumBy::project},
                                                                  {"model", SumBy::model},
                                                                  {"deployment", SumBy::deployment},
                                                                  {"provider", SumBy::provider},
                                                                  {"tag", SumBy::tag},
                                                                  {"hour", SumBy::hour},
                                                                  {"day", SumBy::day}};
  for (const auto& [name, by] : kNames) {
    if (name == text) return by;
  }
  return fail(
      ErrorCode::invalid_argument,
      fmt::format(
          "by: expected none, key, team, project, model, deployment, provider, tag, hour or day, "
          "got \"{}\"",
          text.substr(0, 40)));
}

}  // namespace

net::Task<Result<Reply>> list_requests(Backend& backend, const Request& request) {
  ledger::RowFilter filter;
  filter.key_id = text_of(request, "key");
  filter.team = text_of(request, "team");
  filter.project = text_of(request, "project");
  filter.model = text_of(request, "model");
  filter.deployment = text_of(request, "deployment");
  filter.provider = text_of(request, "provider");
  filter.user = text_of(request, "user");
  filter.endpoint = text_of(request, "endpoint");
  filter.dialect = text_of(request, "dialect");
  filter.error_code = text_of(request, "error_code");
  const auto outcome = outcome_of(text_of(request, "outcome"));
  if (!outcome) co_return fail(outcome.error());
  filter.outcome = *outcome;
  const auto took_ms = number_of(request, "took_ms", 0, 0, kDayMs);
  if (!took_ms) co_return fail(took_ms.error());
  filter.total_us_min = *took_ms * 1000;
  const auto limit = number_of(request, "limit", 100, 1, 1000);
  if (!limit) co_return fail(limit.error());
  filter.limit = static_cast<uint32_t>(*limit);
  const auto status = number_of(request, "status_class", 0, 0, 5);
  if (!status) co_return fail(status.error());
  filter.status_class = static_cast<int>(*status);
  const auto since = number_of(request, "since", 0, 0, kTimeMsMax);
  if (!since) co_return fail(since.error());
  filter.since_ms = *since;
  const auto until = number_of(request, "until", 0, 0, kTimeMsMax);
  if (!until) co_return fail(until.error());
  filter.until_ms = *until;
  if (const std::string before = text_of(request, "before"); !before.empty()) {
    filter.before = id_of(before);
    if (!filter.before) {
      co_return fail(ErrorCode::invalid_argument, "before: expected a request id");
    }
  }
  filter.budget_us = kSearchUs;
  auto page = backend.ledger().list(filter);
  if (!page) co_return fail(std::move(page).error());
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().key("requests").begin_array();
  for (const RequestRow& row : page->rows) {
    w.begin_object();
    write_row(w, row);
    w.end_object();
  }
  w.end_array().key("next");
  page->next ? w.string("req_" + page->next->to_text()) : w.null();
  w.member("partial", page->partial).key("searched_to_ms");
  page->next ? w.number(page->next->wall_ms()) : w.null();
  w.end_object();
  co_return reply;
}

net::Task<Result<Reply>> get_request(Backend& backend, const Request& request) {
  const auto id = id_of(request.path_value);
  if (!id) co_return fail(ErrorCode::not_found, "no request has that id");
  auto row = backend.ledger().get(*id);
  if (!row) co_return fail(std::move(row).error());
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object();
  write_row(w, *row);
  if (row->captured && request.actor.may(identity::Permission::content_read)) {
    if (const auto capture = backend.ledger().get_capture(*id)) {
      // Who read what people wrote is worth a record.
      request.note->record = true;
      w.key("capture")
          .begin_object()
          .member("request", capture->request)
          .member("request_content_type", capture->request_content_type)
          .member("request_bytes", capture->request_bytes)
          .member("response", capture->response)
          .member("response_content_type", capture->response_content_type)
          .member("response_bytes", capture->response_bytes)
          .end_object();
    }
  }
  w.end_object();
  co_return reply;
}

net::Task<Result<Reply>> list_usage(Backend& backend, const Request& request) {
  ledger::SumQuery query;
  const int64_t now_ms = SystemClock().wall_ms();
  const auto since = number_of(request, "since", now_ms - kDayMs, 0, kTimeMsMax);
  if (!since) co_return fail(since.error());
  const auto until = number_of(request, "until", now_ms, 0, kTimeMsMax);
  if (!until) co_return fail(until.error());
  query.since_ms = *since;
  query.until_ms = *until;
  const auto by = sum_by(text_of(request, "by"));
  if (!by) co_return fail(by.error());
  const auto then_by = sum_by(text_of(request, "then_by"));
  if (!then_by) co_return fail(then_by.error());
  query.by = *by;
  query.then_by = *then_by;
  query.key_id = text_of(request, "key");
  query.team = text_of(request, "team");
  query.project = text_of(request, "project");
  query.model = text_of(request, "model");
  query.provider = text_of(request, "provider");
  query.tag = text_of(request, "tag");
  const auto limit = number_of(request, "limit", 1000, 1, 20'000);
  if (!limit) co_return fail(limit.error());
  query.limit = static_cast<uint32_t>(*limit);
  auto sums = backend.ledger().sums(query);
  if (!sums) co_return fail(std::move(sums).error());
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().key("usage").begin_array();
  for (const ledger::Sums& sum : *sums) {
    w.begin_object()
        .member("group", sum.group)
        .member("then_group", sum.then_group)
        .member("requests", sum.requests)
        .member("errors", sum.errors)
        .member("aborted", sum.aborted)
        .member("denied", sum.denied)
        .member("unpriced", sum.unpriced)
        .member("estimated", sum.estimated)
        .member("input_tokens", sum.input_tokens)
        .member("cache_read_tokens", sum.cache_read_tokens)
        .member("cache_write_tokens", sum.cache_write_tokens)
        .member("output_tokens", sum.output_tokens)
        .member("reasoning_tokens", sum.reasoning_tokens)
        .member("cost_usd", sum.cost.to_usd())
        .member("cost_nano_usd", sum.cost.nano())
        .member("total_us", sum.total_us)
        .member("ttft_us", sum.ttft_us)
        .member("ttft_count", sum.ttft_count)
        .end_object();
  }
  w.end_array().end_object();
  co_return reply;
}

net::Task<Result<Reply>> list_tags(Backend& backend, const Request& request) {
  const int64_t now_ms = SystemClock().wall_ms();
  const auto since = number_of(request, "since", now_ms - kDayMs, 0, kTimeMsMax);
  if (!since) co_return fail(since.error());
  const auto until = number_of(request, "until", now_ms, 0, kTimeMsMax);
  if (!until) co_return fail(until.error());
  const auto names = backend.ledger().tag_names(*since, *until);
  if (!names) co_return fail(names.error());
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().key("tags").begin_array();
  for (const std::string& name : *names) w.string(name);
  w.end_array().end_object();
  co_return reply;
}

}  // namespace weir::admin
