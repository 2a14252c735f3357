// HTTP/1.x message heads (RFC 9112): parsing, strictly, and writing. Pure functions over bytes.
//
// What is refused rather than repaired, because two parsers that repair differently are how a
// request is smuggled: bare LF or CR, folded lines, space before the colon, control characters,
// Content-Length together with Transfer-Encoding, differing Content-Lengths, any length that is
// not 1*DIGIT, any Transfer-Encoding but exactly one `chunked` (and that only in HTTP/1.1), more
// than one Host, and none in HTTP/1.1. One empty line before a request is skipped (RFC 9112 §2.2).
//
// Limits: HeadLimits. A parsed head is views into the bytes given; parsing allocates nothing once
// the header list has grown to size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/headers.h"

namespace weir::http {

struct HeadLimits {
  size_t head_bytes = size_t{64} * 1024;  // the head whole, with its empty line
  size_t headers = 100;                   // use 256 for response heads of providers
  size_t target_bytes = size_t{8} * 1024;
};

inline constexpr HeadLimits kClientHeadLimits{};
inline constexpr HeadLimits kProviderHeadLimits{
    .head_bytes = size_t{64} * 1024, .headers = 256, .target_bytes = size_t{8} * 1024};

enum class BodyKind : uint8_t { none, length, chunked, until_close };

// How a body is delimited. length counts for BodyKind::length only.
struct Framing {
  BodyKind kind = BodyKind::none;
  uint64_t length = 0;
};

struct RequestHead {
  std::string_view method;  // as sent; methods are case-sensitive
  std::string_view target;  // as sent
  std::string_view path;    // of the target, starts with '/' (or is "*"), not decoded
  std::string_view query;   // of the target without '?'; empty when there is none
  std::string_view host;    // of an absolute target, else of Host
  int version_major = 1;    // 1, or 2 where it came by HTTP/2 (version_minor is 0 then)
  int version_minor = 1;    // HTTP/1.0 or HTTP/1.1
  HeaderList headers;
  Framing framing;
  bool keep_alive = true;
  bool expects_continue = false;
};

struct ResponseHead {
  int status = 200;         // 100..599
  std::string_view reason;  // empty when writing = the standard phrase
  HeaderList headers;
  // Filled by the parser, ignored by the writer.
  int version_minor = 1;
  Framing framing;
  bool keep_alive = true;
};

// Why a head was refused; counted per kind.
enum class HeadFault : uint8_t {
  none,
  start_line,         // 400
  target,             // 400
  target_too_long,    // 414
  version,            // 505
  header_name,        // 400: not a token, space before the colon, folded line
  header_value,       // 400: control characters
  line_end,           // 400: bare LF or CR
  content_length,     // 400
  transfer_encoding,  // 501 when well formed but not `chunked`, else 400
  both_lengths,       // 400
  host,               // 400
  expectation,        // 417
  too_many_headers,   // 431
  head_too_long,      // 431
};
inline constexpr size_t kHeadFaults = 15;
std::string_view to_string(HeadFault fault);

enum class ParseState : uint8_t { more, error, complete };

struct HeadOutcome {
  ParseState state = ParseState::more;
  HeadFault fault = HeadFault::none;
  int status = 0;       // the status to answer a request's fault with
  size_t consumed = 0;  // bytes of the head, when complete
};

// Parses the head that `bytes` begins with. Call with all bytes since the head's start; `more`
// means that no complete head is there yet and nothing in it is wrong so far. Faults are found as
// soon as the line they are in is complete. To stay linear against a peer that sends byte by
// byte, call again only when a line end has arrived or the bytes exceed limits.head_bytes.
HeadOutcome parse_request_head(std::string_view bytes, const HeadLimits& limits, RequestHead& out);
// The same for a response to `method` (HEAD has no body whatever its head says).
HeadOutcome parse_response_head(std::string_view bytes, const HeadLimits& limits,
                                std::string_view method, ResponseHead& out);

// For a head whose bytes were copied from `from` to `to`: its views into `from` move along.
void rebase(RequestHead& head, std::string_view from, const char* to);
void rebase(ResponseHead& head, std::string_view from, const char* to);

// The standard phrase of a status, e.g. "Not Found"; "Unknown" where there is none.
std::string_view reason_phrase(int status);
// Whether a response of that status may carry a body (not 1xx, 204, 304).
bool status_has_body(int status);

// Builds a request head: line, then fields, as text ready for the wire. The client (client.h) adds
// the framing field and the closing empty line. Fields with a name or value that is not allowed on
// the wire, and framing fields, are left out and counted in `dropped`.
class RequestBuilder {
 public:
  // The method must be a token; the target origin-form ("/v1/messages?beta=true"): bytes that a
  // target cannot hold (spaces, controls, '#', non-ASCII) are percent-encoded, so that a name from
  // a request body cannot end the line.
  RequestBuilder(std::string_view method, std::string_view target, std::string_view host);
  RequestBuilder& header(const Header& field);
  RequestBuilder& header(std::string_view name, std::string_view value) {
    return header({.name = name, .value = value});
  }
  // Every field of a received head but hop-by-hop ones, host and those the caller names.
  RequestBuilder& relay(const HeaderList& from,
                        std::initializer_list<std::string_view> except = {});
  std::string_view method() const { return std::string_view(text_).substr(0, method_size_); }
  std::string_view text() const { return text_; }
  std::string take() { return std::move(text_); }
  size_t dropped() const { return dropped_; }

 private:
  std::string text_;
  size_t method_size_;
  size_t dropped_ = 0;
};

}  // namespace weir::http
