#include "dialect/relay/template.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/json/scan.h"
#include "base/utf8.h"

namespace weir::dialect {
namespace {

struct Span {
  size_t begin = 0;
  size_t end = 0;
  bool is_string = false;
  bool is_text = false;
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Whether what stands behind a backslash is an escape of JSON.
bool is_escape(const char* at, const char* end) {
  constexpr std::string_view kShort = "\"\\/bfnrt";
  if (kShort.find(*at) != std::string_view::npos) return true;
  if (*at != 'u' || end - at < 5) return false;
  return std::all_of(at + 1, at + 5, [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
}

// The end of a JSON string's inside that begins at `begin`: its closing quote, or nullptr where it
// is not one that the JSON reader takes, or the bytes end first.
const char* string_end(const char* begin, const char* end, bool& escaped) {
  bool non_ascii = false;
  const char* at = begin;
  // Most deltas are a few bytes long: a loop beats a vector until then.
  for (const char* near = std::min(at + 8, end); at < near; ++at) {
    if (!json::is_plain(static_cast<unsigned char>(*at))) break;
    non_ascii |= static_cast<unsigned char>(*at) >= 0x80;
  }
  for (;;) {
    at = json::skip_plain(at, end, non_ascii);
    if (at == end) return nullptr;
    if (*at == '"') break;
    if (*at != '\\' || end - at < 2 || !is_escape(at + 1, end)) return nullptr;
    escaped = true;
    at += 2;
  }
  return non_ascii && !is_utf8({begin, static_cast<size_t>(at - begin)}) ? nullptr : at;
}

// Of the four digits behind \\u. Half of a surrogate pair counts half of its four bytes.
int64_t utf8_length_of_escape(std::string_view digits) {
  uint32_t code = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
  if (code < 0x80) return 1;
  if (code < 0x800 || (code >= 0xD800 && code < 0xE000)) return 2;
  return 3;
}

}  // namespace

int64_t unescaped_length(std::string_view inside) {
  int64_t length = 0;
  for (size_t at = 0; at < inside.size();) {
    const size_t escape = std::min(inside.find('\\', at), inside.size());
    length += static_cast<int64_t>(escape - at);
    if (escape + 1 >= inside.size()) break;
    at = escape + 2;
    length += inside[escape + 1] == 'u' ? utf8_length_of_escape(inside.substr(at, 4)) : 1;
    if (inside[escape + 1] == 'u') at += 4;
  }
  return length;
}

void DeltaTemplate::learn(std::string_view raw, size_t document_offset, json::Value text,
                          const std::array<json::Value, kHolesMax - 1>& others) {
  holes_ = 0;
  literals_.clear();
  if (raw.size() > kBytesMax || !text.is_string()) return;
  std::array<Span, kHolesMax> spans;
  size_t count = 0;
  const auto add = [&](json::Value value, bool is_text) {
    const bool is_string = value.is_string();
    if (!is_string && !value.is_number()) return;
    const size_t quote = is_string ? 1 : 0;
    const size_t begin = document_offset + value.offset() + quote;
    const size_t end = begin + value.raw().size() - 2 * quote;
    if (!is_string && !std::all_of(value.raw().begin(), value.raw().end(), is_digit)) return;
    spans[count++] = {begin, end, is_string, is_text};
  };
  add(text, true);
  for (const json::Value value : others) add(value, false);
  std::sort(spans.begin(), spans.begin() + count,
            [](const Span& a, const Span& b) { return a.begin < b.begin; });

  size_t at = 0;
  for (size_t i = 0; i < count; ++i) {
    literals_.append(raw.substr(at, spans[i].begin - at));
    hole_[i] = {static_cast<uint32_t>(literals_.size()), spans[i].is_string, spans[i].is_text};
    at = spans[i].end;
  }
  literals_.append(raw.substr(at));
  holes_ = count;
}

DeltaTemplate::Match DeltaTemplate::match(std::string_view bytes) const {
  if (empty()) return {};
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  Match match;
  size_t literal = 0;
  for (size_t i = 0; i < holes_; ++i) {
    const Hole& hole = hole_[i];
    const size_t size = hole.literal_end - literal;
    if (static_cast<size_t>(end - at) < size) return {};
    if (std::memcmp(at, literals_.data() + literal, size) != 0) return {};
    literal = hole.literal_end;
    at += size;
    const char* const begin = at;
    if (hole.is_string) {
      bool escaped = false;
      at = string_end(at, end, escaped);
      if (at == nullptr) return {};
      if (hole.is_text) {
        const auto length = static_cast<size_t>(at - begin);
        match.text_bytes =
            escaped ? unescaped_length({begin, length}) : static_cast<int64_t>(length);
      }
    } else {
      while (at < end && is_digit(*at)) ++at;
      if (at == begin || (*begin == '0' && at - begin > 1)) return {};
    }
  }
  const size_t size = literals_.size() - literal;
  if (static_cast<size_t>(end - at) < size) return {};
  if (std::memcmp(at, literals_.data() + literal, size) != 0) return {};
  match.length = static_cast<size_t>(at - bytes.data()) + size;
  return match;
}

}  // namespace weir::dialect
