#include <algorithm>

#include "base/json/scan.h"
#include "dialect/relay/meter.h"

namespace weir::dialect {
namespace {

constexpr int64_t kBytesPerToken = 4;
// What an image costs at the vendors' usual resolutions: between OpenAI's 85 (low detail) and
// Anthropic's 1600.
constexpr int64_t kTokensPerImage = 1000;
// Longer strings of nothing but base64 are images, documents or audio.
constexpr size_t kBase64BytesMin = 512;

bool is_base64(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/' || c == '=' || c == '_' || c == '-' || c == '\\';
}

bool looks_like_data(std::string_view text) {
  if (text.size() < kBase64BytesMin) return false;
  if (text.starts_with("data:")) return true;
  const std::string_view head = text.substr(0, kBase64BytesMin);
  return std::all_of(head.begin(), head.end(), is_base64);
}

// From behind an opening quote to the closing one (or the end, in torn text).
size_t find_string_end(std::string_view text, size_t begin) {
  const char* const end = text.data() + text.size();
  const char* at = text.data() + begin;
  bool non_ascii = false;
  while (at < end) {
    at = json::skip_plain(at, end, non_ascii);
    if (at == end || *at == '"') break;
    at += *at == '\\' && end - at > 1 ? 2 : 1;
  }
  return static_cast<size_t>(at - text.data());
}

}  // namespace

// In JSON only strings count, names among them: the names of a message ("role", "content", ...)
// come to the three or four tokens that the vendors add for it.
int64_t estimate_tokens(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return 0;
  if (text[first] != '{' && text[first] != '[') {
    return (static_cast<int64_t>(text.size()) + kBytesPerToken - 1) / kBytesPerToken;
  }
  int64_t bytes = 0;
  int64_t tokens = 0;
  for (size_t at = text.find('"'); at != std::string_view::npos; at = text.find('"', at)) {
    const size_t end = find_string_end(text, at + 1);
    const std::string_view inside = text.substr(at + 1, end - at - 1);
    if (looks_like_data(inside)) {
      tokens += kTokensPerImage;
    } else {
      bytes += static_cast<int64_t>(inside.size());
    }
    at = std::min(end + 1, text.size());
  }
  return tokens + (bytes + kBytesPerToken - 1) / kBytesPerToken;
}

int64_t estimate_tokens(json::Value value) {
  int64_t bytes = 0;
  int64_t tokens = 0;
  value.each_string([&](std::string_view inside) {
    if (looks_like_data(inside)) {
      tokens += kTokensPerImage;
    } else {
      bytes += static_cast<int64_t>(inside.size());
    }
  });
  return tokens + (bytes + kBytesPerToken - 1) / kBytesPerToken;
}

}  // namespace weir::dialect
