#include "http/management.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/json/writer.h"
#include "base/text.h"

namespace weir::http {
namespace {

// "host", "host:port" or "[v6]:port" that can only mean this machine.
bool is_loopback_name(std::string_view host) {
  if (host.starts_with("[::1]")) return host.size() == 5 || host[5] == ':';
  host = host.substr(0, host.find(':'));
  return host == "localhost" || host == "127.0.0.1";
}

}  // namespace

bool is_local_request(const RequestHead& head) {
  if (!is_loopback_name(head.host)) return false;
  const auto origin = head.headers.find("origin");
  if (!origin) return true;
  const size_t scheme = origin->find("://");
  return scheme != std::string_view::npos && is_loopback_name(origin->substr(scheme + 3));
}

bool presents_token(const RequestHead& head, const Secret& token) {
  const std::string_view value = head.headers.get("authorization");
  constexpr std::string_view kBearer = "Bearer ";
  return value.starts_with(kBearer) && token.equals(value.substr(kBearer.size()));
}

std::map<std::string, std::string> parse_query(std::string_view query) {
  std::map<std::string, std::string> pairs;
  for (const std::string_view pair : split(query, '&')) {
    const size_t equals = std::min(pair.find('='), pair.size());
    const auto name = percent_decode(pair.substr(0, equals));
    const auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())));
    if (name && value && !name->empty()) pairs[*name] = *value;
  }
  return pairs;
}

bool fits(std::string_view pattern, std::string_view path, std::vector<std::string>& names) {
  const auto parts = split(pattern, '/');
  const auto given = split(path, '/');
  names.clear();
  if (parts.size() != given.size()) return false;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].starts_with('{')) {
      if (parts[i] != given[i]) return false;
      continue;
    }
    auto name = percent_decode(given[i]);
    if (!name || name->empty()) return false;
    names.push_back(std::move(*name));
  }
  return true;
}

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return 400;
    case ErrorCode::permission_denied:
      return 403;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::already_exists:
      return 409;
    case ErrorCode::limit_exceeded:
      return 413;
    case ErrorCode::unavailable:
      return 503;
    case ErrorCode::timeout:
      return 504;
    default:
      return 500;
  }
}

std::string error_body(std::string_view code, std::string_view message) {
  std::string body;
  json::Writer(body)
      .begin_object()
      .key("error")
      .begin_object()
      .member("code", code)
      .member("message", message)
      .end_object()
      .end_object();
  return body;
}

}  // namespace weir::http
