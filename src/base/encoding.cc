#include "base/encoding.h"

#include <array>
#include <cstdint>

namespace weir {
namespace {

constexpr std::string_view kStandard =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrlSafe =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<int8_t, 256> values_of(std::string_view alphabet) {
  std::array<int8_t, 256> values{};
  values.fill(-1);
  for (size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<int8_t>(i);
  }
  return values;
}

uint32_t byte(char c) {
  return static_cast<unsigned char>(c);
}

std::string encode_base64(std::string_view bytes, std::string_view alphabet, bool padded) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  const auto put = [&](uint32_t group, int characters) {
    for (int i = 0; i < characters; ++i) out.push_back(alphabet[(group >> (18 - 6 * i)) & 0x3F]);
  };
  while (bytes.size() >= 3) {
    put(byte(bytes[0]) << 16 | byte(bytes[1]) << 8 | byte(bytes[2]), 4);
    bytes.remove_prefix(3);
  }
  if (bytes.size() == 1) {
    put(byte(bytes[0]) << 16, 2);
    if (padded) out += "==";
  } else if (bytes.size() == 2) {
    put(byte(bytes[0]) << 16 | byte(bytes[1]) << 8, 3);
    if (padded) out += "=";
  }
  return out;
}

// `text` without padding.
std::optional<std::string> decode_base64(std::string_view text,
                                         const std::array<int8_t, 256>& values) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const int value = values[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out.push_back(static_cast<char>((bits >> held) & 0xFF));
    }
  }
  if ((bits & ((1U << held) - 1)) != 0) return std::nullopt;
  return out;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<char> hex_byte(char high, char low) {
  const int h = hex_value(high);
  const int l = hex_value(low);
  if (h < 0 || l < 0) return std::nullopt;
  return static_cast<char>(h * 16 + l);
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

}  // namespace

std::string hex_encode(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    out.push_back(kDigits[byte(c) >> 4]);
    out.push_back(kDigits[byte(c) & 0xF]);
  }
  return out;
}

std::optional<std::string> hex_decode(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const auto decoded = hex_byte(text[i], text[i + 1]);
    if (!decoded) return std::nullopt;
    out.push_back(*decoded);
  }
  return out;
}

std::string base64_encode(std::string_view bytes) {
  return encode_base64(bytes, kStandard, true);
}

std::optional<std::string> base64_decode(std::string_view text) {
  static constexpr auto kValues = values_of(kStandard);
  if (text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  return decode_base64(text, kValues);
}

std::string base64url_encode(std::string_view bytes) {
  return encode_base64(bytes, kUrlSafe, false);
}

std::optional<std::string> base64url_decode(std::string_view text) {
  static constexpr auto kValues = values_of(kUrlSafe);
  return decode_base64(text, kValues);
}

std::string percent_encode(std::string_view text, std::string_view keep) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_unreserved(c) || keep.find(c) != std::string_view::npos) {
      out.push_back(c);
      continue;
    }
    out.push_back('%');
    out.push_back(kDigits[byte(c) >> 4]);
    out.push_back(kDigits[byte(c) & 0xF]);
  }
  return out;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    if (text.front() != '%') {
      out.push_back(text.front());
      text.remove_prefix(1);
      continue;
    }
    if (text.size() < 3) return std::nullopt;
    const auto decoded = hex_byte(text[1], text[2]);
    if (!decoded) return std::nullopt;
    out.push_back(*decoded);
    text.remove_prefix(3);
  }
  return out;
}

}  // namespace weir
