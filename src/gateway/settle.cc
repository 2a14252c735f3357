#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/json/writer.h"
#include "base/log.h"
#include "base/utf8.h"
#include "dialect/relay/meter.h"
#include "gateway/stages.h"

namespace weir::gateway {
namespace {

using provider::FailureClass;

constexpr size_t kUserBytesMax = 256;
constexpr size_t kModelBytesMax = 256;
ledger::Outcome outcome_of(const Exchange& x) {
  if (x.client_gone || !x.walked) return ledger::Outcome::aborted;
  if (!x.error) return ledger::Outcome::ok;
  if (x.attempts.empty()) return ledger::Outcome::denied;
  const FailureClass last = x.attempts.back().failure;
  const bool begun = x.status >= 200 && x.status < 300;
  if (begun && (last == FailureClass::truncated || last == FailureClass::reset ||
                last == FailureClass::timeout)) {
    return ledger::Outcome::truncated;
  }
  return ledger::Outcome::error;
}

void append_number(std::string& text, std::string_view name, int64_t value) {
  char digits[24];
  char* const end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  text.append(name).append(digits, static_cast<size_t>(end - digits));
}

// Only a deployment's name may have something to escape.
std::string attempts_text(const Exchange& x) {
  std::string text;
  text.reserve(128);  // of one attempt
  text += '[';
  for (const AttemptRecord& attempt : x.attempts) {
    text += text.size() == 1 ? R"({"d":)" : R"(,{"d":)";
    json::append_quoted(text, attempt.deployment->name);
    text.append(R"(,"why":")").append(provider::to_string(attempt.choice));
    append_number(text, R"(","s":)", attempt.status);
    if (attempt.failure != FailureClass::none) {
      text.append(R"(,"e":")").append(provider::to_string(attempt.failure)) += '"';
    }
    append_number(
        text, R"(,"ms":)",
        std::chrono::duration_cast<Milliseconds>(attempt.ended - attempt.started).count());
    // The last one's stand in the row itself.
    const bool last = &attempt == &x.attempts.back();
    if (last && x.outcome == ledger::Outcome::aborted && x.abort_handling != AbortHandling::none) {
      text.append(R"(,"abort":")").append(to_string(x.abort_handling)) += '"';
    }
    if (attempt.lost_race) text += R"(,"lost_race":true)";
    if (attempt.stale) text += R"(,"stale":true)";
    if (!last && attempt.usage != dialect::Usage{}) {
      append_number(text, R"(,"in":)", attempt.usage.total_input());
      append_number(text, R"(,"out":)", attempt.usage.total_output());
      append_number(text, R"(,"nano_usd":)", attempt.cost.total.nano());
    }
    text += '}';
  }
  text += ']';
  return text;
}

int64_t us(Nanoseconds duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

std::string tags_text(const access::Principal& principal) {
  if (principal.tags.empty()) return {};
  std::string text;
  json::Writer w(text);
  w.begin_object();
  for (const auto& [name, value] : principal.tags) w.member(name, value);
  w.end_object();
  return text;
}

std::unique_ptr<ledger::Capture> take_capture(Exchange& x) {
  if (!x.capturing() || x.principal == nullptr) return nullptr;
  auto capture = std::make_unique<ledger::Capture>();
  capture->request_bytes = x.bytes_in;
  capture->response_bytes = x.bytes_out;
  capture->request = x.body.substr(0, x.snapshot->capture.bytes_max);
  capture->response = std::move(x.response_capture);
  capture->request_content_type = x.client.head().headers.get("content-type");
  capture->response_content_type = x.response_content_type;
  return capture;
}

// What of a row's texts is written for it alone.
struct RowTexts {
  std::string attempts;
  std::string tags;
  std::string rates;
};

// Views of `x`, its snapshot and `texts`.
ledger::RowView make_row(Exchange& x, const ledger::Cost& cost, RowTexts& texts) {
  ledger::RowView row;
  row.id = x.id;
  row.start_ms = x.start_ms;
  row.journal_slot = x.journal_slot;
  if (x.principal != nullptr) {
    row.key_id = x.principal->key_id;
    row.team = x.principal->team;
    row.project = x.principal->project;
    row.tags = texts.tags = tags_text(*x.principal);
  }
  row.user = utf8_truncate(x.user, kUserBytesMax);
  row.dialect = dialect::to_string(x.route.dialect);
  row.endpoint = x.route.endpoint;
  row.model_asked = utf8_truncate(x.model_asked, kModelBytesMax);
  if (x.serving != nullptr) row.model = x.serving->name;
  if (x.deployment != nullptr) {
    row.deployment = x.deployment->name;
    row.account = x.deployment->account->name;
    row.provider = provider::to_string(x.deployment->account->kind);
    row.provider_model = x.deployment->model;
  }
  row.attempts = static_cast<uint32_t>(x.attempts.size());
  row.status = x.status;
  row.outcome = x.outcome;
  row.attempts_text = texts.attempts = attempts_text(x);
  if (x.error) {
    row.error_code =
        x.error->code.empty() ? to_string(x.error->type) : std::string_view(x.error->code);
  }
  row.streamed = x.stream;
  row.total_us = us(x.now() - x.started);
  row.ttft_us = x.first_byte == Nanoseconds{0} ? 0 : us(x.first_byte - x.started);
  row.upstream_us = us(x.upstream_time);
  row.set_cost(cost, ledger::rates_text(cost, texts.rates));
  row.usage = std::move(x.usage);
  row.config_generation = static_cast<int64_t>(x.snapshot->generation);
  row.bytes_in = x.bytes_in;
  row.bytes_out = x.bytes_out;
  row.capture = take_capture(x);
  return row;
}

void count_probe(Exchange& x) {
  if (x.deployment == nullptr || x.attempts.empty()) return;
  const AttemptRecord& attempt = x.attempts.back();
  DeploymentCounters& counters = x.worker.counters.deployment(x.deployment->slot);
  const bool answered = attempt.failure == FailureClass::none && attempt.status != 0;
  const bool failed = provider::rule_of(attempt.failure).counts_against_health && !attempt.excused;
  ++counters.probes[static_cast<size_t>(answered ? ProbeEnd::answered
                                        : failed ? ProbeEnd::failed
                                                 : ProbeEnd::unclear)];
  counters.probe_cost_nano += attempt.cost.total.nano();
}

// Tokens and cost are spent by whomever; only clients' requests count as requests.
void count(Exchange& x, const ledger::RowView& row) {
  Counters& counters = x.worker.counters;
  if (x.probe) count_probe(x);
  if (!x.probe) {
    ++counters.statuses[static_cast<size_t>(std::clamp(x.status / 100, 0, 5))];
    if (x.client_gone) ++counters.client_aborts;
    if (row.outcome == ledger::Outcome::aborted) {
      ++counters.aborts[static_cast<size_t>(x.abort_handling)];
    }
    if (x.asked != nullptr) {
      ++counters.model(x.asked->slot).requests[static_cast<size_t>(row.outcome)];
    }
  }
  for (const AttemptRecord& attempt : x.attempts) {
    DeploymentCounters& deployment = counters.deployment(attempt.deployment->slot);
    deployment.tokens_input += static_cast<uint64_t>(attempt.usage.total_input());
    deployment.tokens_cache_read += static_cast<uint64_t>(attempt.usage.cache_read);
    deployment.tokens_output += static_cast<uint64_t>(attempt.usage.total_output());
    deployment.cost_nano += attempt.cost.total.nano();
    if (attempt.cost.state == ledger::CostState::unpriced) ++deployment.unpriced;
  }
}

}  // namespace

void settle(Exchange& x) {
  if (x.settled) return;
  x.settled = true;
  if (!x.attempts.empty() && !x.attempts.back().concluded) {
    x.attempts.back().ended = x.now();
    x.attempts.back().failure = FailureClass::cancelled;
    if (x.abort_handling == AbortHandling::none) x.abort_handling = AbortHandling::cancelled;
  }
  x.outcome = outcome_of(x);
  close_attempt(x);
  const ledger::Cost cost = price(x);
  if (x.admission.held()) {
    x.admission.settle(x.usage.total_input() + x.usage.total_output(), cost.total, x.now(),
                       x.worker.loop.clock().wall_ms());
  }
  x.worker.queue.nudge();
  RowTexts texts;
  ledger::RowView row = make_row(x, cost, texts);
  count(x, row);
  log::debug("request", {{"request_id", x.id_text},
                         {"endpoint", x.route.endpoint},
                         {"model", row.model},
                         {"deployment", row.deployment},
                         {"status", row.status},
                         {"outcome", to_string(row.outcome)},
                         {"total_us", row.total_us}});
  if (!x.worker.log.submit(std::move(row))) ++x.worker.counters.ledger_rows_dropped;
}

}  // namespace weir::gateway
