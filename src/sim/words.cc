#include "sim/words.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"

namespace weir::sim {
namespace {

constexpr size_t kWordBytesMax = 8;

// Each is one token: at most eight letters.
constexpr std::array<std::string_view, 96> kWords = {
    "a",       "above",  "across", "after",  "again",   "air",     "along",   "and",    "around",
    "at",      "autumn", "bank",   "basin",  "before",  "below",   "bend",    "boat",   "bridge",
    "bright",  "brook",  "by",     "calm",   "canal",   "channel", "clear",   "cold",   "course",
    "current", "dam",    "deep",   "delta",  "down",    "drift",   "early",   "eddy",   "estuary",
    "evening", "falls",  "fish",   "flood",  "flow",    "fog",     "ford",    "from",   "gate",
    "gentle",  "grass",  "gravel", "harbor", "heron",   "hill",    "in",      "island", "lake",
    "late",    "level",  "light",  "lock",   "meadow",  "mill",    "morning", "mouth",  "narrow",
    "near",    "of",     "old",    "over",   "path",    "pool",    "quiet",   "rain",   "reed",
    "ripple",  "river",  "sand",   "sea",    "shallow", "shore",   "slow",    "spring", "stone",
    "stream",  "summer", "swift",  "the",    "tide",    "to",      "trout",   "under",  "valley",
    "water",   "weir",   "wide",   "willow", "wind",    "winter"};

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Bytes of the character at `at`; a byte that begins none counts as one.
size_t character_bytes(std::string_view text, size_t at) {
  const char* const begin = text.data() + at;
  return std::max<size_t>(1, utf8_character_length(begin, text.data() + text.size()));
}

}  // namespace

size_t token_bytes(std::string_view text) {
  size_t at = 0;
  while (at < text.size() && is_space(text[at])) ++at;
  if (at == text.size()) return at;
  if (!is_word(text[at])) return at + character_bytes(text, at);
  const size_t begin = at;
  while (at < text.size() && is_word(text[at])) {
    const size_t next = character_bytes(text, at);
    if (at + next - begin > kWordBytesMax) break;
    at += next;
  }
  return at;
}

int64_t count_tokens(std::string_view text) {
  int64_t tokens = 0;
  while (!text.empty()) {
    text.remove_prefix(token_bytes(text));
    ++tokens;
  }
  return tokens;
}

std::string_view first_tokens(std::string_view text, int64_t tokens) {
  size_t at = 0;
  for (int64_t i = 0; i < tokens && at < text.size(); ++i) at += token_bytes(text.substr(at));
  return text.substr(0, at);
}

std::string make_text(Random& random, int64_t tokens) {
  std::string text;
  int64_t sentence_left = 0;
  bool begin = false;
  for (int64_t i = 0; i < tokens; ++i) {
    if (sentence_left == 0 && i > 0) {
      text.push_back('.');
      sentence_left = -1;
      continue;
    }
    if (sentence_left <= 0) {
      sentence_left = 5 + static_cast<int64_t>(random.below(10));
      begin = true;
    }
    if (!text.empty()) text.push_back(' ');
    const size_t at = text.size();
    text.append(kWords[random.below(kWords.size())]);
    if (begin) text[at] = static_cast<char>(text[at] - 'a' + 'A');
    begin = false;
    --sentence_left;
  }
  return text;
}

uint64_t hash_text(std::string_view text, uint64_t seed) {
  uint64_t hash = seed;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001B3ULL;
  }
  return hash;
}

}  // namespace weir::sim
