// Words and writing of heads: reason phrases, fault names, the request builder.
#include <algorithm>

#include "http/chars.h"
#include "http/head.h"
#include "http/response_text.h"

namespace weir::http {

std::string_view to_string(HeadFault fault) {
  switch (fault) {
    case HeadFault::none:
      return "none";
    case HeadFault::start_line:
      return "start_line";
    case HeadFault::target:
      return "target";
    case HeadFault::target_too_long:
      return "target_too_long";
    case HeadFault::version:
      return "version";
    case HeadFault::header_name:
      return "header_name";
    case HeadFault::header_value:
      return "header_value";
    case HeadFault::line_end:
      return "line_end";
    case HeadFault::content_length:
      return "content_length";
    case HeadFault::transfer_encoding:
      return "transfer_encoding";
    case HeadFault::both_lengths:
      return "both_lengths";
    case HeadFault::host:
      return "host";
    case HeadFault::expectation:
      return "expectation";
    case HeadFault::too_many_headers:
      return "too_many_headers";
    case HeadFault::head_too_long:
      return "head_too_long";
  }
  return "none";
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 424:
      return "Failed Dependency";
    case 425:
      return "Too Early";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 451:
      return "Unavailable For Legal Reasons";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    case 529:
      return "Overloaded";
    default:
      return "Unknown";
  }
}

RequestBuilder::RequestBuilder(std::string_view method, std::string_view target,
                               std::string_view host)
    : method_size_(method.size()) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  text_.reserve(512);
  text_.append(method).append(" ");
  const auto fits = [](char c) { return c > ' ' && c < 0x7f && c != '#'; };
  if (std::ranges::all_of(target, fits)) {
    text_.append(target);
    target = {};
  }
  for (const char c : target) {
    if (fits(c)) {
      text_.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      text_.push_back('%');
      text_.push_back(kHex[byte >> 4]);
      text_.push_back(kHex[byte & 0xf]);
    }
  }
  text_.append(" HTTP/1.1\r\n");
  header("host", host);
}

RequestBuilder& RequestBuilder::header(const Header& field) {
  const auto [name, value, checked] = field;
  const bool framing = iequals(name, "content-length") || iequals(name, "transfer-encoding");
  if (framing || (!checked && (!valid_name(name) || !valid_value(value)))) {
    ++dropped_;
    return *this;
  }
  append_field(text_, field);
  return *this;
}

RequestBuilder& RequestBuilder::relay(const HeaderList& from,
                                      std::initializer_list<std::string_view> except) {
  const bool nominates = from.find("connection").has_value();
  for (const Header& field : from) {
    if (is_connection_field(field.name) || iequals(field.name, "host")) continue;
    if (iequals(field.name, "expect")) continue;
    if (nominates && from.lists("connection", field.name)) continue;
    const bool excepted = std::ranges::any_of(
        except, [&](std::string_view name) { return iequals(name, field.name); });
    if (!excepted) header(field);
  }
  return *this;
}

}  // namespace weir::http
