#include "gateway/relay.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <iterator>

#include "base/text.h"
#include "gateway/stages.h"

namespace weir::gateway {
namespace {

using dialect::Dialect;
using provider::FailureClass;
using provider::Operation;

// Fields of a provider's answer that are about its own accounts, edge network or limits: the
// client's limits are Weir's to tell.
constexpr std::string_view kKept[] = {"set-cookie",
                                      "server",
                                      "date",
                                      "via",
                                      "alt-svc",
                                      "nel",
                                      "report-to",
                                      "retry-after",
                                      "retry-after-ms",
                                      "strict-transport-security",
                                      "openai-organization",
                                      "content-type",
                                      "content-length",
                                      "content-encoding"};
constexpr std::string_view kKeptPrefixes[] = {"x-ratelimit-", "anthropic-ratelimit-", "cf-",
                                              "x-weir-", "access-control-"};

bool is_kept(std::string_view name) {
  // By length first: most names are told by it.
  constexpr size_t kLongest = 25;
  static constexpr auto kOfLength = [] {
    std::array<uint32_t, kLongest + 1> bits{};
    for (size_t i = 0; i < std::size(kKept); ++i) bits[kKept[i].size()] |= uint32_t{1} << i;
    return bits;
  }();
  if (name.size() <= kLongest) {
    for (uint32_t left = kOfLength[name.size()]; left != 0; left &= left - 1) {
      if (http::iequals(name, kKept[std::countr_zero(left)])) return true;
    }
  }
  const char first = name.empty() ? '\0' : ascii_lower(name.front());
  if (first != 'x' && first != 'a' && first != 'c') return false;  // as those prefixes begin
  for (const std::string_view prefix : kKeptPrefixes) {
    if (name.size() > prefix.size() && http::iequals(name.substr(0, prefix.size()), prefix)) {
      return true;
    }
  }
  return false;
}

}  // namespace

AttemptTimer::AttemptTimer(Exchange& x, http::ClientExchange& upstream)
    : x_(x), upstream_(upstream), timer_(x.worker.loop, [this] { expire(); }) {}

void AttemptTimer::arm(std::string_view phase, Milliseconds limit) {
  const Nanoseconds left = x_.asked->timeouts.total - (x_.now() - x_.started);
  phase_ = phase;
  limit_ = limit;
  total_ = left < limit;
  set(std::min<Nanoseconds>(limit, left));
}

void AttemptTimer::wait_for_client() {
  total_ = true;
  set(x_.asked->timeouts.total - (x_.now() - x_.started));
}

void AttemptTimer::set(Nanoseconds after) {
  deadline_ = x_.worker.loop.deadline_in(after);
  if (!timer_.armed() || timer_.deadline() > deadline_) timer_.arm_at(deadline_);
}

void AttemptTimer::expire() {
  if (x_.now() < deadline_) return timer_.arm_at(deadline_);
  total_is_over_ = total_;
  upstream_.cancel(
      {ErrorCode::timeout, total_ ? fmt::format("the request's total time of {} ms is over",
                                                x_.asked->timeouts.total.count())
                                  : fmt::format("no {} within {} ms", phase_, limit_.count())});
}

const dialect::Conversation* asked_of(const Exchange& x) {
  return x.conversation ? &*x.conversation : nullptr;
}

bool in_frames(const Relay& r) {
  return r.head.headers.get("content-type").starts_with("application/vnd.amazon.eventstream");
}

void answer_headers(const Relay& r, std::string_view content_type, http::AnswerFields& fields) {
  if (!content_type.empty()) fields.add("content-type", content_type);
  if (!r.outgoing.translated()) {
    const http::HeaderList& from = r.head.headers;
    const bool nominates = from.find("connection").has_value();
    for (const http::Header& header : from) {
      if (is_kept(header.name) || http::is_connection_field(header.name)) continue;
      if (nominates && from.lists("connection", header.name)) continue;
      if (http::iequals(header.name, "cache-control") && fields.has("cache-control")) continue;
      fields.add(header);
    }
    // The bytes go on as they came.
    if (const std::string_view coding = from.get("content-encoding"); !coding.empty()) {
      fields.add("content-encoding", coding);
    }
  }
  add_weir_headers(r.x, fields);
}

void capture_response(Exchange& x, std::string_view bytes) {
  if (!x.capturing()) return;
  const size_t most = x.snapshot->capture.bytes_max;
  if (x.response_capture.size() >= most) return;
  x.response_capture += bytes.substr(0, most - x.response_capture.size());
  if (x.response_capture.size() == most) ++x.worker.counters.captures_cut;
}

namespace {

// Before its end: the caller breaks the provider's answer off, if it does not drain it.
void note_client_gone(Exchange& x) {
  x.client_gone = true;
  if (x.abort_handling == AbortHandling::none) x.abort_handling = AbortHandling::cancelled;
}

}  // namespace

net::Task<bool> begin_stream(Relay& r, std::string_view content_type) {
  Exchange& x = r.x;
  http::AnswerFields fields;
  const bool events = content_type.starts_with("text/event-stream");
  if (events) fields.add_checked("cache-control", "no-cache");
  answer_headers(r, content_type, fields);
  x.status = r.head.status;
  if (x.capturing()) x.response_content_type = content_type;
  x.first_byte = x.now();
  x.worker.traffic.began(x.attempts.back().ticket, x.now());
  const http::ResponseHead head{.status = r.head.status, .reason = {}, .headers = fields.take()};
  const auto begun = co_await x.client.begin(head);
  if (!begun) note_client_gone(x);
  co_return begun.has_value();
}

net::Task<bool> write_stream(Exchange& x, std::span<const std::string_view> pieces) {
  for (const std::string_view piece : pieces) {
    x.bytes_out += static_cast<int64_t>(piece.size());
    capture_response(x, piece);
  }
  const auto written = co_await x.client.write(pieces);
  if (!written) note_client_gone(x);
  co_return written.has_value();
}

net::Task<RelayEnd> relay(Relay& r) {
  const std::string_view type = r.head.headers.get("content-type");
  const bool events = type.find("event-stream") != std::string_view::npos || in_frames(r);
  const std::string_view coding = r.head.headers.get("content-encoding");
  const bool coded = !coding.empty() && !http::iequals(coding, "identity");
  if (r.x.route.operation == Operation::passthrough) {
    // Lines of JSON, and files of whatever type, are not one JSON text.
    const bool json = type.find("json") != std::string_view::npos &&
                      type.find("jsonl") == std::string_view::npos &&
                      type.find("ndjson") == std::string_view::npos &&
                      !r.x.route.rest.ends_with("/content");
    if (!json || coded) co_return co_await relay_bytes(r, {});
    co_return co_await relay_whole(r);
  }
  // Weir asks for no coding, and cannot read what has one.
  if (coded) {
    co_return RelayEnd{FailureClass::protocol,
                       provider::error_of(FailureClass::protocol, r.deployment.name,
                                          "its answer has a content-encoding")};
  }
  if (r.outgoing.calls() > 1) co_return co_await relay_calls(r);
  const bool array = !r.outgoing.translated() && !r.outgoing.client_sse();
  if (r.x.stream && (events || array)) co_return co_await relay_stream(r);
  co_return co_await relay_whole(r);
}

}  // namespace weir::gateway
