#include "http/head.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "http/chars.h"

namespace weir::http {

namespace {

constexpr size_t kMethodBytesMax = 32;

// Where a step of the parser stands: go on, or stop with an outcome.
enum class Step : uint8_t { go, more, fault };

struct Cursor {
  const char* p;
  const char* end;
  HeadFault fault = HeadFault::none;
  int status = 400;

  Step fail(HeadFault what, int answer = 400) {
    fault = what;
    status = answer;
    return Step::fault;
  }
  size_t left() const { return static_cast<size_t>(end - p); }
};

// Expects CRLF at the cursor; `other` is the fault when another byte stands there.
Step take_line_end(Cursor& at, HeadFault other) {
  if (at.p == at.end) return Step::more;
  if (*at.p == '\n') return at.fail(HeadFault::line_end);
  if (*at.p != '\r') return at.fail(other);
  if (at.left() < 2) return Step::more;
  if (at.p[1] != '\n') return at.fail(HeadFault::line_end);
  at.p += 2;
  return Step::go;
}

// "HTTP/1.0" or "HTTP/1.1" at the cursor.
Step take_version(Cursor& at, int& minor) {
  constexpr std::string_view kPrefix = "HTTP/";
  const std::string_view rest(at.p, std::min<size_t>(at.left(), 8));
  const size_t prefix = std::min(rest.size(), kPrefix.size());
  if (rest.substr(0, prefix) != kPrefix.substr(0, prefix)) return at.fail(HeadFault::start_line);
  if (rest.size() < 8) {
    const bool broken = rest.find_first_of("\r\n") != std::string_view::npos;
    return broken ? at.fail(HeadFault::start_line) : Step::more;
  }
  if (!is_digit(rest[5]) || rest[6] != '.' || !is_digit(rest[7])) {
    return at.fail(HeadFault::start_line);
  }
  if (rest[5] != '1' || rest[7] > '1') return at.fail(HeadFault::version, 505);
  minor = rest[7] - '0';
  at.p += 8;
  return Step::go;
}

// Letters, digits, and what host names, ports and address literals need. Nothing that a proxy
// behind this one could read as the end of the host.
bool valid_host(std::string_view host) {
  return std::ranges::all_of(host, [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '-' || c == '_' || c == ':' || c == '[' || c == ']' || c == '%' || c == '~';
  });
}

// Splits the target into path and query; takes the host of an absolute target.
Step read_target(Cursor& at, RequestHead& out) {
  std::string_view rest = out.target;
  if (out.method == "CONNECT") return at.fail(HeadFault::target, 501);
  if (rest == "*") {
    if (out.method != "OPTIONS") return at.fail(HeadFault::target);
    out.path = rest;
    return Step::go;
  }
  if (rest.front() != '/') {
    const size_t scheme = rest.find("://");
    if (scheme == std::string_view::npos) return at.fail(HeadFault::target);
    const std::string_view name = rest.substr(0, scheme);
    if (!iequals(name, "http") && !iequals(name, "https")) return at.fail(HeadFault::target);
    rest.remove_prefix(scheme + 3);
    out.host = rest.substr(0, rest.find_first_of("/?"));
    if (out.host.empty() || !valid_host(out.host)) return at.fail(HeadFault::target);
    rest.remove_prefix(out.host.size());
  }
  const size_t mark = rest.find('?');
  out.path = rest.substr(0, mark);
  if (out.path.empty()) out.path = "/";
  if (mark != std::string_view::npos) out.query = rest.substr(mark + 1);
  return Step::go;
}

Step read_request_line(Cursor& at, const HeadLimits& limits, RequestHead& out) {
  if (at.p != at.end && (*at.p == '\r' || *at.p == '\n')) {
    if (const Step step = take_line_end(at, HeadFault::start_line); step != Step::go) return step;
  }
  const char* start = at.p;
  while (at.p != at.end && is_token_char(*at.p)) ++at.p;
  if (static_cast<size_t>(at.p - start) > kMethodBytesMax) return at.fail(HeadFault::start_line);
  if (at.p == at.end) return Step::more;
  if (at.p == start || *at.p != ' ') return at.fail(HeadFault::start_line);
  out.method = {start, static_cast<size_t>(at.p - start)};

  start = ++at.p;
  while (at.p != at.end && *at.p > ' ' && *at.p < 0x7f && *at.p != '#') ++at.p;
  if (static_cast<size_t>(at.p - start) > limits.target_bytes) {
    return at.fail(HeadFault::target_too_long, 414);
  }
  if (at.p == at.end) return Step::more;
  if (*at.p == '\r' || *at.p == '\n') return at.fail(HeadFault::start_line);
  if (*at.p != ' ' || at.p == start) return at.fail(HeadFault::target);
  out.target = {start, static_cast<size_t>(at.p - start)};
  if (const Step step = read_target(at, out); step != Step::go) return step;

  ++at.p;
  if (const Step step = take_version(at, out.version_minor); step != Step::go) return step;
  return take_line_end(at, HeadFault::start_line);
}

Step read_status_line(Cursor& at, ResponseHead& out) {
  if (const Step step = take_version(at, out.version_minor); step != Step::go) return step;
  if (at.left() < 5) {
    const std::string_view rest(at.p, at.left());
    const bool broken = rest.find_first_of("\r\n") != std::string_view::npos;
    return broken ? at.fail(HeadFault::start_line) : Step::more;
  }
  if (at.p[0] != ' ' || !is_digit(at.p[1]) || !is_digit(at.p[2]) || !is_digit(at.p[3])) {
    return at.fail(HeadFault::start_line);
  }
  out.status = (at.p[1] - '0') * 100 + (at.p[2] - '0') * 10 + (at.p[3] - '0');
  if (out.status < 100 || out.status > 599) return at.fail(HeadFault::start_line);
  at.p += 4;
  // The space before an empty reason is often left out; nothing depends on it.
  if (*at.p == ' ') {
    const char* start = ++at.p;
    at.p = find_bad_in_value(at.p, at.end);
    out.reason = {start, static_cast<size_t>(at.p - start)};
  }
  return take_line_end(at, HeadFault::start_line);
}

// What the fields say about framing and the connection.
struct Meaning {
  bool has_length = false;
  bool has_encoding = false;
  bool close = false;
  bool keep_alive = false;
  bool expects_continue = false;
  int hosts = 0;
  uint64_t length = 0;
  std::string_view length_text;
  std::string_view host;
};

Step read_content_length(Cursor& at, std::string_view value, Meaning& meaning) {
  if (meaning.has_length && meaning.length_text != value) {
    return at.fail(HeadFault::content_length);
  }
  // 18 digits stay below 2^63; the body limit is reached long before.
  if (value.empty() || value.size() > 18 || !std::ranges::all_of(value, is_digit)) {
    return at.fail(HeadFault::content_length);
  }
  meaning.has_length = true;
  meaning.length_text = value;
  meaning.length = 0;
  for (char c : value) meaning.length = meaning.length * 10 + static_cast<uint64_t>(c - '0');
  return Step::go;
}

Step read_transfer_encoding(Cursor& at, std::string_view value, Meaning& meaning) {
  if (meaning.has_encoding || value.empty()) return at.fail(HeadFault::transfer_encoding);
  if (!iequals(value, "chunked")) {
    const bool well_formed = std::ranges::all_of(value, [](char c) {
      return is_token_char(c) || c == ',' || c == ' ' || c == ';' || c == '=';
    });
    return at.fail(HeadFault::transfer_encoding, well_formed ? 501 : 400);
  }
  meaning.has_encoding = true;
  return Step::go;
}

// Takes in the fields that frame the message or govern the connection. Told apart by length first,
// so that most fields cost one comparison.
Step read_meaning(Cursor& at, std::string_view name, std::string_view value, bool is_request,
                  Meaning& meaning) {
  switch (name.size()) {
    case 4:
      if (is_request && iequals(name, "host")) {
        ++meaning.hosts;
        meaning.host = value;
        if (meaning.hosts > 1 || !valid_host(value)) return at.fail(HeadFault::host);
      }
      return Step::go;
    case 6:
      if (is_request && iequals(name, "expect")) {
        if (!iequals(value, "100-continue")) return at.fail(HeadFault::expectation, 417);
        meaning.expects_continue = true;
      }
      return Step::go;
    case 10:
      if (iequals(name, "connection")) {
        meaning.close = meaning.close || has_token(value, "close");
        meaning.keep_alive = meaning.keep_alive || has_token(value, "keep-alive");
      }
      return Step::go;
    case 14:
      if (iequals(name, "content-length")) return read_content_length(at, value, meaning);
      return Step::go;
    case 17:
      if (iequals(name, "transfer-encoding")) return read_transfer_encoding(at, value, meaning);
      return Step::go;
    default:
      return Step::go;
  }
}

// The fields up to and with the empty line.
Step read_fields(Cursor& at, const HeadLimits& limits, bool is_request, HeaderList& headers,
                 Meaning& meaning) {
  while (true) {
    if (at.p == at.end) return Step::more;
    if (*at.p == '\r' || *at.p == '\n') return take_line_end(at, HeadFault::line_end);
    const char* start = at.p;
    at.p = find_no_token(at.p, at.end);
    if (at.p == at.end) return Step::more;
    // Covers an empty name, space before the colon and a folded line: none starts with a token.
    if (at.p == start || *at.p != ':') return at.fail(HeadFault::header_name);
    const std::string_view name(start, static_cast<size_t>(at.p - start));

    ++at.p;
    while (at.p != at.end && is_blank(*at.p)) ++at.p;
    start = at.p;
    at.p = find_bad_in_value(at.p, at.end);
    const char* stop = at.p;
    while (stop != start && is_blank(stop[-1])) --stop;
    const std::string_view value(start, static_cast<size_t>(stop - start));
    if (const Step step = take_line_end(at, HeadFault::header_value); step != Step::go) {
      return step;
    }

    if (headers.size() == limits.headers) return at.fail(HeadFault::too_many_headers, 431);
    headers.add({.name = name, .value = value, .checked = true});
    if (const Step step = read_meaning(at, name, value, is_request, meaning); step != Step::go) {
      return step;
    }
  }
}

HeadOutcome outcome_of(Step step, const Cursor& at, std::string_view bytes,
                       const HeadLimits& limits) {
  const auto consumed = static_cast<size_t>(at.p - bytes.data());
  if (step == Step::fault) return {ParseState::error, at.fault, at.status, 0};
  const bool too_long =
      step == Step::go ? consumed > limits.head_bytes : bytes.size() >= limits.head_bytes;
  if (too_long) return {ParseState::error, HeadFault::head_too_long, 431, 0};
  if (step == Step::more) return {};
  return {ParseState::complete, HeadFault::none, 0, consumed};
}

Step check_request(Cursor& at, const Meaning& meaning, RequestHead& out) {
  if (meaning.has_length && meaning.has_encoding) return at.fail(HeadFault::both_lengths);
  if (meaning.has_encoding && out.version_minor == 0) {
    return at.fail(HeadFault::transfer_encoding);
  }
  if (meaning.hosts == 0 && out.version_minor == 1) return at.fail(HeadFault::host);
  if (out.host.empty()) out.host = meaning.host;
  if (meaning.has_encoding) out.framing = {BodyKind::chunked, 0};
  if (meaning.has_length && meaning.length > 0) out.framing = {BodyKind::length, meaning.length};
  out.keep_alive = !meaning.close && (out.version_minor == 1 || meaning.keep_alive);
  out.expects_continue =
      meaning.expects_continue && out.version_minor == 1 && out.framing.kind != BodyKind::none;
  return Step::go;
}

Step check_response(Cursor& at, const Meaning& meaning, std::string_view method,
                    ResponseHead& out) {
  if (meaning.has_length && meaning.has_encoding) return at.fail(HeadFault::both_lengths);
  if (meaning.has_encoding && out.version_minor == 0) {
    return at.fail(HeadFault::transfer_encoding);
  }
  out.keep_alive = !meaning.close && (out.version_minor == 1 || meaning.keep_alive);
  if (method == "HEAD" || !status_has_body(out.status)) {
    out.framing = {};
  } else if (meaning.has_encoding) {
    out.framing = {BodyKind::chunked, 0};
  } else if (meaning.has_length) {
    out.framing = {meaning.length == 0 ? BodyKind::none : BodyKind::length, meaning.length};
  } else {
    out.framing = {BodyKind::until_close, 0};
    out.keep_alive = false;
  }
  return Step::go;
}

void rebase_view(std::string_view& view, std::string_view from, const char* to) {
  if (view.data() < from.data() || view.data() > from.data() + from.size()) return;
  view = {to + (view.data() - from.data()), view.size()};
}

// A parsed head's fields all lie in `from`.
void rebase_fields(HeaderList& headers, std::string_view from, const char* to) {
  for (Header& header : headers) {
    header.name = {to + (header.name.data() - from.data()), header.name.size()};
    header.value = {to + (header.value.data() - from.data()), header.value.size()};
  }
}

}  // namespace

HeadOutcome parse_request_head(std::string_view bytes, const HeadLimits& limits, RequestHead& out) {
  out.headers.clear();
  out.method = out.target = out.path = out.query = out.host = {};
  out.version_major = 1;
  out.version_minor = 1;
  out.framing = {};
  out.keep_alive = true;
  out.expects_continue = false;

  Cursor at{bytes.data(), bytes.data() + bytes.size()};
  Meaning meaning;
  Step step = read_request_line(at, limits, out);
  if (step == Step::go) step = read_fields(at, limits, true, out.headers, meaning);
  if (step == Step::go) step = check_request(at, meaning, out);
  return outcome_of(step, at, bytes, limits);
}

HeadOutcome parse_response_head(std::string_view bytes, const HeadLimits& limits,
                                std::string_view method, ResponseHead& out) {
  out.headers.clear();
  out.status = 0;
  out.reason = {};
  out.version_minor = 1;
  out.framing = {};
  out.keep_alive = true;

  Cursor at{bytes.data(), bytes.data() + bytes.size()};
  Meaning meaning;
  Step step = read_status_line(at, out);
  if (step == Step::go) step = read_fields(at, limits, false, out.headers, meaning);
  if (step == Step::go) step = check_response(at, meaning, method, out);
  return outcome_of(step, at, bytes, limits);
}

void rebase(RequestHead& head, std::string_view from, const char* to) {
  for (std::string_view* view : {&head.method, &head.target, &head.path, &head.query, &head.host}) {
    rebase_view(*view, from, to);
  }
  rebase_fields(head.headers, from, to);
}

void rebase(ResponseHead& head, std::string_view from, const char* to) {
  rebase_view(head.reason, from, to);
  rebase_fields(head.headers, from, to);
}

bool status_has_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

}  // namespace weir::http
