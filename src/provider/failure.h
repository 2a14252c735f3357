// What a failed attempt means: which class it belongs to, who is to blame, whether another
// attempt may help, and for how long to leave the deployment or the credential alone.
// The table is the one of docs/failures.md. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "dialect/stream_event.h"
#include "http/headers.h"
#include "provider/account.h"

namespace weir::provider {

enum class FailureClass : uint8_t {
  none,
  connect,         // refused, no route, DNS
  tls,             // handshake or certificate
  timeout,         // connect, first token, idle or total
  reset,           // connection lost
  truncated,       // ended early: bytes, chunked framing or the dialect's terminator missing
  protocol,        // not HTTP, not the dialect: garbage, oversized head
  credential,      // 401, 403
  throttled,       // 429
  quota,           // 402, 429 that waiting does not cure
  server,          // 5xx, error event in a stream
  not_found,       // 404: model or deployment does not exist there
  invalid,         // 400, 422 and the other 4xx: the request's own fault
  content_filter,  // a policy of the provider: the request's own fault
  local,           // Weir itself could not open a connection: descriptors, a limit of its own
  cancelled,       // our client left, or Weir is shutting down
};
std::string_view to_string(FailureClass failure);

// Who is to be left alone after this failure.
enum class Blame : uint8_t { nobody, deployment, credential };

struct FailureRule {
  Blame blame;
  bool counts_against_health;  // as evidence that the deployment is sick
  bool try_another;            // another deployment may well succeed
  bool try_same;               // so may the same one, a moment later
};
const FailureRule& rule_of(FailureClass failure);

// Class of an error: `status` is its own status (ApiError::status) or the answer's.
FailureClass classify_status(int status, const dialect::ApiError& error);
// Class of an HTTP answer that is not a success, with the error read from it. The error's own words
// come before the answer's status: Gemini answers 400 to a wrong key, Bedrock to throttling.
FailureClass classify_answer(int status, const dialect::ApiError& error);
// Class of an attempt that got no usable answer.
FailureClass classify_error(const Error& error, bool connected);

// How long the provider asks to wait: retry-after-ms, retry-after (seconds or an HTTP date), and
// for a 429 without either the resets of x-ratelimit-*/anthropic-ratelimit-* whose remaining is
// zero. nullopt = it did not say. Never longer than kRetryAfterMax; -1 and nonsense are "unknown".
constexpr Milliseconds kRetryAfterMax{3'600'000};
std::optional<Milliseconds> retry_after(const http::HeaderList& headers, int64_t wall_ms);

// For answers to the client: the neutral error of an attempt that got no answer.
dialect::ApiError error_of(FailureClass failure, std::string_view deployment,
                           std::string_view detail);

}  // namespace weir::provider
