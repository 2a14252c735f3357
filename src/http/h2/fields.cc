#include "http/h2/fields.h"

#include <algorithm>
#include <charconv>

#include "http/chars.h"

namespace weir::http::h2 {

namespace {

// What RFC 9113 §6.5.2 adds to a field's size.
constexpr size_t kFieldOverhead = 32;
constexpr size_t kHostile = 4;

std::string number(uint64_t value) {
  return std::to_string(value);
}

HeadOutcome refuse(HeadFault fault, int status = 400) {
  return {ParseState::error, fault, status, 0};
}

// Nothing that would end an HTTP/1.1 request line or a part of it.
bool fits_line(std::string_view part) {
  return !part.empty() && std::ranges::all_of(part, [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

void HeaderBlock::clear() {
  for (std::string* part : {&method_, &path_, &scheme_, &authority_, &status_, &host_, &fields_}) {
    part->clear();
  }
  has_host_ = false;
  count_ = bytes_ = 0;
  fault_ = HeadFault::none;
}

bool HeaderBlock::add(std::string_view name, std::string_view value) {
  bytes_ += name.size() + value.size() + kFieldOverhead;
  ++count_;
  // What the list costs is counted as RFC 9113 says, and so is the limit that peers are told.
  if (bytes_ > limits_.head_bytes * kHostile) return false;
  if (fault_ != HeadFault::none) return true;
  if (name.starts_with(':')) {
    // nghttp2 has seen to it that each comes once, before all others, and is known.
    if (name == ":method") method_ = value;
    if (name == ":path") path_ = value.substr(0, limits_.target_bytes + 1);
    if (name == ":scheme") scheme_ = value;
    if (name == ":authority") authority_ = value;
    if (name == ":status") status_ = value;
    --count_;
    return true;
  }
  if (count_ > limits_.headers) {
    fault_ = HeadFault::too_many_headers;
  } else if (bytes_ > limits_.head_bytes) {
    fault_ = HeadFault::head_too_long;
  } else if (!valid_name(name)) {
    fault_ = HeadFault::header_name;
  } else if (!valid_value(value)) {
    fault_ = HeadFault::header_value;
  } else if (name == "host") {
    if (has_host_) fault_ = HeadFault::host;
    has_host_ = true;
    host_ = value;
  } else {
    fields_.append(name).append(": ").append(value).append("\r\n");
  }
  return true;
}

void HeaderBlock::add_invalid(HeadFault fault) {
  if (fault_ == HeadFault::none) fault_ = fault;
}

HeadOutcome HeaderBlock::verdict() const {
  const bool too_much = fault_ == HeadFault::too_many_headers || fault_ == HeadFault::head_too_long;
  if (fault_ != HeadFault::none) return refuse(fault_, too_much ? 431 : 400);
  return {};
}

HeadOutcome HeaderBlock::request(std::string& text, RequestHead& out) const {
  out = {};
  text.clear();
  const HeadOutcome before = verdict();
  if (method_ == "CONNECT") return refuse(HeadFault::target, 501);
  if (!fits_line(method_)) return refuse(HeadFault::start_line);
  if (!fits_line(path_) || (path_.front() != '/' && path_ != "*")) {
    return refuse(HeadFault::target);
  }
  if (!iequals(scheme_, "http") && !iequals(scheme_, "https")) return refuse(HeadFault::target);
  const std::string_view host = authority_.empty() ? host_ : authority_;
  if (has_host_ && !authority_.empty() && !iequals(host_, authority_)) {
    return refuse(HeadFault::host);
  }
  if (!std::ranges::all_of(host, [](char c) { return c > ' ' && c < 0x7f; })) {
    return refuse(HeadFault::host);
  }
  text.reserve(method_.size() + path_.size() + host.size() + fields_.size() + 32);
  text.append(method_).append(" ").append(path_).append(" HTTP/1.1\r\n");
  if (!host.empty()) text.append("host: ").append(host).append("\r\n");
  text.append(fields_).append("\r\n");
  HeadLimits limits = limits_;
  limits.headers += 1;  // the host, which came as ":authority"
  HeadOutcome outcome = parse_request_head(text, limits, out);
  if (before.state == ParseState::error) outcome = before;
  // The text ends a head; what does not parse as one whole head is none.
  if (outcome.state == ParseState::more || outcome.consumed < text.size()) {
    if (outcome.state != ParseState::error) outcome = refuse(HeadFault::line_end);
  }
  out.version_major = 2;
  out.version_minor = 0;
  return outcome;
}

HeadOutcome HeaderBlock::response(std::string_view method, std::string& text,
                                  ResponseHead& out) const {
  out = {};
  if (const HeadOutcome before = verdict(); before.state == ParseState::error) return before;
  text.assign("HTTP/1.1 ").append(status_).append(" \r\n").append(fields_).append("\r\n");
  HeadOutcome outcome = parse_response_head(text, limits_, method, out);
  if (outcome.state != ParseState::error && outcome.consumed < text.size()) {
    outcome = refuse(HeadFault::line_end);
  }
  // A stream's end is its own: nothing runs until the connection's.
  if (out.framing.kind == BodyKind::until_close) out.framing = {BodyKind::chunked, 0};
  out.keep_alive = true;
  return outcome;
}

int HeaderBlock::status() const {
  int status = 0;
  std::from_chars(status_.data(), status_.data() + status_.size(), status);
  return status;
}

void FieldList::clear() {
  text_.clear();
  fields_.clear();
}

void FieldList::add(std::string_view name, std::string_view value) {
  fields_.push_back({text_.size(), name.size(), value.size()});
  for (const char c : name) {
    text_.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  text_.append(value);
}

std::span<const nghttp2_nv> FieldList::view() {
  nv_.clear();
  nv_.reserve(fields_.size());
  auto* bytes = reinterpret_cast<uint8_t*>(text_.data());
  for (const Field& field : fields_) {
    uint8_t* name = bytes + field.name_at;
    nv_.push_back(
        {name, name + field.name_size, field.name_size, field.value_size, NGHTTP2_NV_FLAG_NONE});
  }
  return nv_;
}

size_t response_fields(const ResponseHead& head, const Framing& framing, std::string_view date,
                       FieldList& out) {
  size_t dropped = 0;
  out.clear();
  out.add(":status", number(static_cast<uint64_t>(head.status)));
  for (const Header& field : head.headers) {
    if (is_connection_field(field.name) || iequals(field.name, "date")) continue;
    if (!valid_name(field.name) || !valid_value(field.value)) {
      ++dropped;
      continue;
    }
    out.add(field.name, field.value);
  }
  out.add("date", date);
  if (framing.kind == BodyKind::length) out.add("content-length", number(framing.length));
  return dropped;
}

void request_fields(std::string_view head, std::string_view scheme, FieldList& out) {
  out.clear();
  const size_t space = head.find(' ');
  const std::string_view method = head.substr(0, space);
  head.remove_prefix(space + 1);
  const std::string_view target = head.substr(0, head.find(' '));
  head.remove_prefix(std::min(head.find("\r\n") + 2, head.size()));
  out.add(":method", method);
  out.add(":scheme", scheme);
  out.add(":path", target);
  // Twice over the few fields, so that the host's pseudo-field stands before the others.
  for (const bool pseudo : {true, false}) {
    std::string_view left = head;
    while (!left.empty()) {
      const std::string_view line = left.substr(0, left.find("\r\n"));
      left.remove_prefix(std::min(line.size() + 2, left.size()));
      const size_t colon = line.find(':');
      if (colon == std::string_view::npos) continue;
      const std::string_view name = line.substr(0, colon);
      const std::string_view value = trim(line.substr(colon + 1));
      const bool is_host = iequals(name, "host");
      if (pseudo && is_host) out.add(":authority", value);
      if (!pseudo && !is_host && !is_connection_field(name)) out.add(name, value);
    }
  }
}

}  // namespace weir::http::h2
