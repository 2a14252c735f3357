#include "sim/call_log.h"

#include "base/date.h"

namespace weir::sim {
namespace {

constexpr size_t kModelsMax = 1000;

void write_usage(json::Writer& w, const dialect::Usage& usage) {
  w.begin_object();
  w.member("input", usage.total_input());  // cached and written tokens included
  w.member("cached", usage.cache_read);
  w.member("cache_write", usage.cache_write_5m + usage.cache_write_1h);
  w.member("cache_write_1h", usage.cache_write_1h);
  w.member("output", usage.total_output());
  w.member("reasoning", usage.reasoning);
  w.end_object();
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::whole:
      return "whole";
    case Outcome::failed:
      return "failed";
    case Outcome::aborted:
      return "aborted";
  }
  return "failed";
}

void write_call(json::Writer& w, const Call& call) {
  w.begin_object().member("id", call.id);
  w.member("outcome", to_string(call.outcome)).member("status", call.status);
  w.member("endpoint", to_string(call.endpoint))
      .member("dialect", dialect::to_string(call.dialect));
  w.member("method", call.method).member("path", call.path).member("query", call.query);
  w.member("peer", call.peer).member("model", call.model).member("stream", call.stream);
  w.member("key_hash", call.key_hash).member("key_last4", call.key_last4);
  w.member("fault", call.fault).member("rule", call.rule);
  w.key("usage");
  write_usage(w, call.usage);
  w.member("output_sent", call.output_sent).member("request_bytes", call.request_bytes);
  w.member("bytes_sent", call.bytes_sent).member("events_sent", call.events_sent);
  w.member("started", rfc3339(call.started_ms)).member("started_ms", call.started_ms);
  w.member("duration_ms", call.ended_ms - call.started_ms);
  w.member("first_byte_ms", call.first_byte_ms);
  w.key("headers").begin_object();
  for (const auto& [name, value] : call.headers) w.member(name, value);
  w.end_object();
  if (!call.request.empty()) w.member("request", call.request);
  w.end_object();
}

void Totals::add(const Call& call) {
  ++calls;
  whole += call.outcome == Outcome::whole ? 1 : 0;
  failed += call.outcome == Outcome::failed ? 1 : 0;
  aborted += call.outcome == Outcome::aborted ? 1 : 0;
  input += call.usage.total_input();
  cached += call.usage.cache_read;
  cache_write += call.usage.cache_write_5m + call.usage.cache_write_1h;
  output += call.usage.total_output();
  reasoning += call.usage.reasoning;
  output_sent += call.output_sent;
  request_bytes += call.request_bytes;
  bytes_sent += call.bytes_sent;
}

void write_totals(json::Writer& w, const Totals& totals) {
  w.begin_object().member("calls", totals.calls).member("whole", totals.whole);
  w.member("failed", totals.failed).member("aborted", totals.aborted);
  w.key("usage").begin_object().member("input", totals.input).member("cached", totals.cached);
  w.member("cache_write", totals.cache_write).member("output", totals.output);
  w.member("reasoning", totals.reasoning).end_object();
  w.member("output_sent", totals.output_sent).member("request_bytes", totals.request_bytes);
  w.member("bytes_sent", totals.bytes_sent).end_object();
}

void CallLog::add(Call call) {
  totals_.add(call);
  const bool known = models_.contains(call.model) || models_.size() < kModelsMax;
  models_[known ? call.model : "(other)"].add(call);
  calls_.push_back(std::move(call));
  while (calls_.size() > calls_max_) {
    calls_.pop_front();
    ++dropped_;
  }
}

void CallLog::clear() {
  calls_.clear();
  totals_ = {};
  models_.clear();
  dropped_ = 0;
}

}  // namespace weir::sim
