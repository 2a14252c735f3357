// A second reader of request heads, for tests and fuzzing only: written naively, from the grammar,
// with none of the parser's code or technique, to hold the parser against.
#pragma once

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/head.h"

namespace weir::http::reference {

struct Head {
  std::string method, target;
  std::vector<std::pair<std::string, std::string>> fields;
  bool chunked = false;
  uint64_t length = 0;
  bool keep_alive = true;
  size_t consumed = 0;
};

inline bool is_token(const std::string& text) {
  static const std::string kAllowed =
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return !text.empty() && text.find_first_not_of(kAllowed) == std::string::npos;
}
inline bool is_host(const std::string& text) {
  static const std::string kAllowed =
      ".-_:[]%~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return text.find_first_not_of(kAllowed) == std::string::npos;
}
inline std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}
inline std::vector<std::string> split(const std::string& text, const std::string& by) {
  std::vector<std::string> parts;
  size_t at = 0;
  for (size_t next; (next = text.find(by, at)) != std::string::npos; at = next + by.size()) {
    parts.push_back(text.substr(at, next - at));
  }
  parts.push_back(text.substr(at));
  return parts;
}
inline std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}
inline bool lists(const std::vector<std::string>& values, const std::string& token) {
  for (const std::string& value : values) {
    for (const std::string& part : split(value, ",")) {
      if (lower(trimmed(part)) == token) return true;
    }
  }
  return false;
}

inline bool target_ok(const std::string& method, const std::string& target) {
  if (target.empty() || method == "CONNECT") return false;
  for (const char c : target) {
    if (c <= 0x20 || c >= 0x7f || c == '#') return false;
  }
  if (target == "*") return method == "OPTIONS";
  if (target[0] == '/') return true;
  if (target.find("://") == std::string::npos) return false;
  const std::string scheme = lower(target.substr(0, target.find("://")));
  if (scheme != "http" && scheme != "https") return false;
  const std::string rest = target.substr(scheme.size() + 3);
  const std::string host = rest.substr(0, rest.find_first_of("/?"));
  return !host.empty() && is_host(host);
}

// The head that `bytes` begins with, or nothing where that is not a whole, valid one.
inline std::optional<Head> read_request(std::string_view input, const HeadLimits& limits) {
  std::string bytes(input);
  Head head;
  if (bytes.starts_with("\r\n")) head.consumed = 2;
  bytes = bytes.substr(head.consumed);
  const size_t end = bytes.find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  head.consumed += end + 4;
  if (head.consumed > limits.head_bytes) return std::nullopt;
  const std::vector<std::string> lines = split(bytes.substr(0, end), "\r\n");
  if (lines.size() - 1 > limits.headers) return std::nullopt;
  for (const std::string& line : lines) {
    for (const char c : line) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte < 32 && byte != 9) || byte == 127) return std::nullopt;
    }
  }
  const std::vector<std::string> words = split(lines[0], " ");
  if (words.size() != 3) return std::nullopt;
  head.method = words[0];
  head.target = words[1];
  if (!is_token(head.method) || head.method.size() > 32) return std::nullopt;
  if (!target_ok(head.method, head.target) || head.target.size() > limits.target_bytes) {
    return std::nullopt;
  }
  if (words[2] != "HTTP/1.1" && words[2] != "HTTP/1.0") return std::nullopt;
  const bool is_11 = words[2] == "HTTP/1.1";

  std::map<std::string, std::vector<std::string>> by_name;
  for (size_t i = 1; i < lines.size(); ++i) {
    const size_t colon = lines[i].find(':');
    if (colon == std::string::npos) return std::nullopt;
    const std::string name = lines[i].substr(0, colon);
    if (!is_token(name)) return std::nullopt;
    head.fields.emplace_back(name, trimmed(lines[i].substr(colon + 1)));
    by_name[lower(name)].push_back(head.fields.back().second);
  }
  const auto& hosts = by_name["host"];
  if (hosts.size() > 1 || (hosts.empty() && is_11)) return std::nullopt;
  if (hosts.size() == 1 && !is_host(hosts[0])) return std::nullopt;
  const auto& lengths = by_name["content-length"];
  const auto& encodings = by_name["transfer-encoding"];
  if (!lengths.empty() && !encodings.empty()) return std::nullopt;
  for (const std::string& length : lengths) {
    if (length != lengths[0] || length.empty() || length.size() > 18 ||
        length.find_first_not_of("0123456789") != std::string::npos) {
      return std::nullopt;
    }
    head.length = std::stoull(length);
  }
  if (encodings.size() > 1 || (!encodings.empty() && !is_11)) return std::nullopt;
  if (encodings.size() == 1 && lower(encodings[0]) != "chunked") return std::nullopt;
  head.chunked = !encodings.empty();
  for (const std::string& expect : by_name["expect"]) {
    if (lower(expect) != "100-continue") return std::nullopt;
  }
  const auto& connection = by_name["connection"];
  head.keep_alive = !lists(connection, "close") && (is_11 || lists(connection, "keep-alive"));
  return head;
}

}  // namespace weir::http::reference
