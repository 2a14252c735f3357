#include "base/utf8.h"

#include <cstdint>
#include <cstring>

namespace weir {
namespace {

uint8_t byte_at(const char* at) {
  return static_cast<uint8_t>(*at);
}

bool is_continuation(const char* at) {
  return (byte_at(at) & 0xC0) == 0x80;
}

// What may follow a lead byte: how many bytes, and the range of the first of them (RFC 3629,
// section 4); length 0 for a byte that leads nothing.
struct Lead {
  uint8_t length;
  uint8_t second_min;
  uint8_t second_max;
};

Lead lead_of(uint8_t byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// Bytes of the longest start of a character at `at`; `whole` says whether it is a character.
size_t maximal_subpart(const char* at, const char* end, bool& whole) {
  const Lead lead = lead_of(byte_at(at));
  whole = lead.length == 1;
  if (lead.length < 2 || end - at < 2) return 1;
  if (byte_at(at + 1) < lead.second_min || byte_at(at + 1) > lead.second_max) return 1;
  size_t length = 2;
  while (length < lead.length && at + length < end && is_continuation(at + length)) ++length;
  whole = length == lead.length;
  return length;
}

}  // namespace

size_t utf8_character_length(const char* at, const char* end) {
  bool whole = false;
  const size_t length = maximal_subpart(at, end, whole);
  return whole ? length : 0;
}

size_t utf8_valid_prefix(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    if (end - at >= 8) {
      uint64_t eight;
      std::memcpy(&eight, at, sizeof eight);
      if ((eight & 0x8080808080808080ULL) == 0) {
        at += 8;
        continue;
      }
    }
    if (byte_at(at) < 0x80) {
      ++at;
      continue;
    }
    // Three-byte characters without special ranges are most of the world's non-Latin text.
    while (end - at >= 3 && (byte_at(at) & 0xF0) == 0xE0 && byte_at(at) != 0xE0 &&
           byte_at(at) != 0xED && is_continuation(at + 1) && is_continuation(at + 2)) {
      at += 3;
    }
    if (at == end) break;
    const size_t length = utf8_character_length(at, end);
    if (length == 0) break;
    at += length;
  }
  return static_cast<size_t>(at - text.data());
}

namespace {

bool begins_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

}  // namespace

size_t utf8_code_points(std::string_view text) {
  size_t count = 0;
  for (const char c : text) count += begins_character(c) ? 1 : 0;
  return count;
}

size_t utf8_offset(std::string_view text, size_t count) {
  size_t at = 0;
  for (; at < text.size(); ++at) {
    if (begins_character(text[at]) && count-- == 0) break;
  }
  return at;
}

void append_utf8(std::string& out, char32_t code_point) {
  const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3F));
  } else if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point < 0xE000)) {
    out += kReplacementCharacter;
  } else if (code_point < 0x10000) {
    put(0xE0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3F));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

void append_valid_utf8(std::string& out, std::string_view text) {
  while (true) {
    const size_t valid = utf8_valid_prefix(text);
    out += text.substr(0, valid);
    text.remove_prefix(valid);
    if (text.empty()) return;
    bool whole = false;
    text.remove_prefix(maximal_subpart(text.data(), text.data() + text.size(), whole));
    out += kReplacementCharacter;
  }
}

std::string_view utf8_truncate(std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  size_t cut = bytes_max;
  // At most three bytes back; text that is no UTF-8 is cut where asked.
  while (cut > 0 && bytes_max - cut < 4 && is_continuation(text.data() + cut)) --cut;
  if (is_continuation(text.data() + cut)) cut = bytes_max;
  return text.substr(0, cut);
}

}  // namespace weir
