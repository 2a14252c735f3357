#include "provider/failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/date.h"
#include "base/text.h"
#include "provider/quota.h"

namespace weir::provider {
namespace {

using dialect::ApiError;
using dialect::ApiErrorType;

struct Row {
  FailureClass failure;
  std::string_view name;
  FailureRule rule;
};

// Blame, counts against health, try another, try the same.
constexpr Row kRows[] = {
    {FailureClass::none, "none", {Blame::nobody, false, false, false}},
    {FailureClass::connect, "connect", {Blame::deployment, true, true, true}},
    {FailureClass::tls, "tls", {Blame::deployment, true, true, false}},
    {FailureClass::timeout, "timeout", {Blame::deployment, true, true, false}},
    {FailureClass::reset, "reset", {Blame::deployment, true, true, true}},
    {FailureClass::truncated, "truncated", {Blame::deployment, true, true, true}},
    {FailureClass::protocol, "protocol", {Blame::deployment, true, true, false}},
    {FailureClass::credential, "credential", {Blame::credential, false, true, false}},
    {FailureClass::throttled, "throttled", {Blame::deployment, false, true, true}},
    {FailureClass::quota, "quota", {Blame::credential, false, true, false}},
    {FailureClass::server, "server", {Blame::deployment, true, true, true}},
    {FailureClass::not_found, "not_found", {Blame::nobody, false, true, false}},
    {FailureClass::invalid, "invalid", {Blame::nobody, false, false, false}},
    {FailureClass::content_filter, "content_filter", {Blame::nobody, false, false, false}},
    {FailureClass::local, "local", {Blame::nobody, false, true, false}},
    {FailureClass::cancelled, "cancelled", {Blame::nobody, false, false, false}},
};

const Row& row_of(FailureClass failure) {
  return kRows[static_cast<size_t>(failure)];
}

// Seconds as a decimal ("1", "0.25") in milliseconds.
std::optional<double> decimal(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(value)) return std::nullopt;
  return value;
}

// An HTTP date or RFC 3339, as wall milliseconds.
std::optional<int64_t> moment(std::string_view text) {
  if (const auto date = parse_http_date(text)) return date;
  return parse_rfc3339(text);
}

// A wait is believed when it is positive; longer than an hour counts as an hour.
std::optional<Milliseconds> believable(double ms) {
  if (!(ms > 0)) return std::nullopt;
  return Milliseconds(
      static_cast<int64_t>(std::min(ms, static_cast<double>(kRetryAfterMax.count()))));
}

}  // namespace

std::string_view to_string(FailureClass failure) {
  return row_of(failure).name;
}

const FailureRule& rule_of(FailureClass failure) {
  return row_of(failure).rule;
}

FailureClass classify_status(int status, const ApiError& error) {
  if (error.type == ApiErrorType::content_filter) return FailureClass::content_filter;
  if (error.type == ApiErrorType::quota || status == 402) return FailureClass::quota;
  switch (status) {
    case 401:
    case 403:
      return FailureClass::credential;
    case 404:
      return FailureClass::not_found;
    case 408:
      return FailureClass::timeout;
    case 429:
      return FailureClass::throttled;
    default:
      break;
  }
  if (status >= 500) return FailureClass::server;
  if (status >= 400) return FailureClass::invalid;
  return FailureClass::protocol;  // a redirect or an informational answer: not this API
}

FailureClass classify_answer(int status, const ApiError& error) {
  return classify_status(status >= 400 ? error.status : status, error);
}

FailureClass classify_error(const Error& error, bool connected) {
  switch (error.code()) {
    case ErrorCode::cancelled:
      return FailureClass::cancelled;
    case ErrorCode::timeout:
      return FailureClass::timeout;
    case ErrorCode::dns_failure:
    case ErrorCode::connection_refused:
      return FailureClass::connect;
    case ErrorCode::tls_failure:
      return FailureClass::tls;
    case ErrorCode::connection_reset:
      return connected ? FailureClass::reset : FailureClass::connect;
    case ErrorCode::closed:
      return connected ? FailureClass::truncated : FailureClass::connect;
    case ErrorCode::limit_exceeded:
      return connected ? FailureClass::protocol : FailureClass::local;
    case ErrorCode::io_error:
      return connected ? FailureClass::reset : FailureClass::local;
    case ErrorCode::protocol_error:
    case ErrorCode::invalid_argument:
      return FailureClass::protocol;
    default:
      return connected ? FailureClass::reset : FailureClass::connect;
  }
}

std::optional<Milliseconds> retry_after(const http::HeaderList& headers, int64_t wall_ms) {
  if (const auto ms = headers.find("retry-after-ms")) {
    if (const auto value = decimal(*ms)) {
      if (const auto wait = believable(*value)) return wait;
    }
  }
  if (const auto after = headers.find("retry-after")) {
    if (const auto seconds = decimal(*after)) {
      if (const auto wait = believable(*seconds * 1e3)) return wait;
    } else if (const auto at = moment(*after)) {
      if (const auto wait = believable(static_cast<double>(*at - wall_ms))) return wait;
    }
  }
  std::optional<Milliseconds> longest;
  for (const RateLimit& limit : read_rate_limits(headers, wall_ms)) {
    if (limit.remaining != 0) continue;
    const auto wait = believable(limit.reset_ms);
    if (wait && (!longest || *wait > *longest)) longest = wait;
  }
  return longest;
}

ApiError error_of(FailureClass failure, std::string_view deployment, std::string_view detail) {
  const auto say = [&](ApiErrorType type, int status, std::string_view code,
                       std::string_view what) {
    return ApiError{.type = type,
                    .status = status,
                    .message = detail.empty() ? fmt::format("Deployment {}: {}.", deployment, what)
                                              : fmt::format("Deployment {}: {} ({}).", deployment,
                                                            what, detail),
                    .code = std::string(code),
                    .param = {}};
  };
  switch (failure) {
    case FailureClass::connect:
      return say(ApiErrorType::unavailable, 502, "upstream_connect", "could not be reached");
    case FailureClass::tls:
      return say(ApiErrorType::unavailable, 502, "upstream_tls", "the TLS connection failed");
    case FailureClass::timeout:
      return say(ApiErrorType::timeout, 504, "upstream_timeout", "did not answer in time");
    case FailureClass::reset:
      return say(ApiErrorType::unavailable, 502, "upstream_reset", "the connection was lost");
    case FailureClass::truncated:
      return say(ApiErrorType::unavailable, 502, "upstream_truncated", "the answer ended early");
    case FailureClass::protocol:
      return say(ApiErrorType::unavailable, 502, "upstream_protocol",
                 "the answer was not understood");
    case FailureClass::credential:
      return say(ApiErrorType::unavailable, 503, "upstream_credential",
                 "the provider refused Weir's credential");
    case FailureClass::local:
      return say(ApiErrorType::unavailable, 503, "no_connection",
                 "Weir could not open a connection");
    case FailureClass::cancelled:
      return say(ApiErrorType::unavailable, 503, "cancelled", "the call was stopped");
    default:
      return say(ApiErrorType::server, 502, "upstream_error", "the provider failed");
  }
}

}  // namespace weir::provider
