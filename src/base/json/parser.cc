#include "base/json/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/json/scan.h"
#include "base/json/unescape.h"
#include "base/utf8.h"

namespace weir::json {
namespace {

constexpr uint32_t kNone = UINT32_MAX;
constexpr uint32_t kFewKeys = 16;  // up to here comparing all pairs beats sorting

constexpr bool is_short_escape(char c) {
  switch (c) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      return true;
    default:
      return false;
  }
}

}  // namespace

Parser::Parser(Document& document, const Limits& limits)
    : document_(document),
      nodes_(document.nodes_),
      limits_(limits),
      begin_(document.text_.data()),
      place_(begin_),
      end_(begin_ + document.text_.size()),
      open_(kNone) {}

// The steps below are small and many: they become one function with this, which takes a quarter of
// the instructions away.
Result<void> Parser::run() {
  if (document_.text_.size() >= kNone) {
    return fail(ErrorCode::limit_exceeded, "a JSON text of 4 GiB or more");
  }
  Next next = Next::value;
  while (true) {
    skip_space();
    if (next == Next::end && place_ == end_) return {};
    next = step(next);
    if (next == Next::failed) return fail(std::move(error_));
  }
}

[[gnu::always_inline]] inline Parser::Next Parser::step(Next next) {
  switch (next) {
    case Next::value:
      return read_value();
    case Next::value_or_close:
      return at(']') ? close() : read_value();
    case Next::key:
      return read_key(false);
    case Next::key_or_close:
      return at('}') ? close() : read_key(true);
    case Next::comma_or_close:
      return read_comma_or_close();
    case Next::end:
      return expected("the end of the text");
    case Next::failed:
      break;
  }
  return Next::failed;
}

[[gnu::always_inline]] inline Parser::Next Parser::read_value() {
  if (place_ == end_) return expected("a value");
  if (open_ != kNone) ++nodes_[open_].count;
  switch (*place_) {
    case '{':
      return open(Type::object);
    case '[':
      return open(Type::array);
    case '"':
      return read_string_value();
    case 't':
      return read_literal("true", Type::boolean);
    case 'f':
      return read_literal("false", Type::boolean);
    case 'n':
      return read_literal("null", Type::null);
    default:
      break;
  }
  if (*place_ == '-' || at_digit()) return read_number();
  return expected(open_ != kNone && nodes_[open_].type == Type::array && nodes_[open_].count == 1
                      ? "a value or ']'"
                      : "a value");
}

Parser::Next Parser::read_string_value() {
  return read_string() ? after_value() : Next::failed;
}

Parser::Next Parser::read_literal(std::string_view word, Type type) {
  if (!std::string_view(place_, static_cast<size_t>(end_ - place_)).starts_with(word)) {
    return expected(word == "null" ? "'null'" : word == "true" ? "'true'" : "'false'");
  }
  if (!add_node(place_, place_ + word.size(), type, 0)) return Next::failed;
  place_ += word.size();
  return after_value();
}

[[gnu::always_inline]] inline Parser::Next Parser::read_number() {
  const char* const start = place_;
  if (*place_ == '-') ++place_;
  if (at('0')) {
    ++place_;
    if (at_digit()) return expected("a number without leading zeros");
  } else if (!read_digits()) {
    return Next::failed;
  }
  if (at('.')) {
    ++place_;
    if (!read_digits()) return Next::failed;
  }
  if (at('e') || at('E')) {
    ++place_;
    if (at('+') || at('-')) ++place_;
    if (!read_digits()) return Next::failed;
  }
  return add_node(start, place_, Type::number, 0) ? after_value() : Next::failed;
}

bool Parser::read_digits() {
  if (!at_digit()) {
    expected("a digit");
    return false;
  }
  while (at_digit()) ++place_;
  return true;
}

[[gnu::always_inline]] inline Parser::Next Parser::read_key(bool may_close) {
  if (!at('"'))
    return expected(may_close ? "a member name in quotes or '}'" : "a member name in quotes");
  if (!read_string()) return Next::failed;
  skip_space();
  if (!at(':')) return expected("':'");
  ++place_;
  return Next::value;
}

[[gnu::always_inline]] inline Parser::Next Parser::read_comma_or_close() {
  const bool in_object = nodes_[open_].type == Type::object;
  if (at(',')) {
    ++place_;
    return in_object ? Next::key : Next::value;
  }
  if (at(in_object ? '}' : ']')) return close();
  return expected(in_object ? "',' or '}'" : "',' or ']'");
}

[[gnu::always_inline]] inline Parser::Next Parser::open(Type type) {
  if (depth_ >= limits_.depth_max) [[unlikely]] {
    return too_deep();
  }
  const auto node = static_cast<uint32_t>(nodes_.size());
  if (!add_node(place_, place_ + 1, type, 0)) return Next::failed;
  nodes_[node].next = open_;  // the container around it, until this one closes
  open_ = node;
  ++depth_;
  ++place_;
  return type == Type::object ? Next::key_or_close : Next::value_or_close;
}

[[gnu::always_inline]] inline Parser::Next Parser::close() {
  const uint32_t closing = open_;
  Node& node = nodes_[closing];
  open_ = node.next;
  --depth_;
  ++place_;
  node.end = static_cast<uint32_t>(place_ - begin_);
  node.next = static_cast<uint32_t>(nodes_.size());
  if (node.type == Type::object && node.count > 1 && depth_ < limits_.unique_keys_levels &&
      !keys_are_unique(closing)) {
    return Next::failed;
  }
  return after_value();
}

Parser::Next Parser::after_value() const {
  return open_ == kNone ? Next::end : Next::comma_or_close;
}

[[gnu::always_inline]] inline bool Parser::read_string() {
  const char* const start = place_++;
  bool non_ascii = false;
  uint32_t escaped = 0;
  while (true) {
    place_ = skip_plain(place_, end_, non_ascii);
    if (place_ == end_) {
      expected("'\"' at the end of a string");
      return false;
    }
    if (*place_ == '"') break;
    if (*place_ != '\\') {
      expected("a control character written as an escape such as \\n");
      return false;
    }
    escaped = 1;
    if (!read_escape()) return false;
  }
  if (non_ascii) {
    const std::string_view content(start, static_cast<size_t>(place_ - start));
    const size_t valid = utf8_valid_prefix(content);
    if (valid != content.size()) {
      place_ = start + valid;
      expected("valid UTF-8");
      return false;
    }
  }
  ++place_;
  return add_node(start, place_, Type::string, escaped);
}

bool Parser::read_escape() {
  const char* const backslash = place_++;
  if (place_ < end_ && is_short_escape(*place_)) {
    ++place_;
    return true;
  }
  if (!at('u')) {
    expected("one of \"\\/bfnrtu behind a backslash");
    return false;
  }
  if (end_ - backslash >= 6 && read_hex4(backslash + 2) >= 0) {
    place_ = backslash + 6;
    return true;
  }
  ++place_;
  while (place_ < end_ && hex_digit(*place_) >= 0) ++place_;  // to where it goes wrong
  expected("four hex digits behind \\u");
  return false;
}

[[gnu::always_inline]] inline bool Parser::add_node(const char* begin, const char* end, Type type,
                                                    uint32_t count) {
  const auto index = static_cast<uint32_t>(nodes_.size());
  if (index >= limits_.nodes_max) [[unlikely]] {
    too_many();
    return false;
  }
  nodes_.push_back({static_cast<uint32_t>(begin - begin_), static_cast<uint32_t>(end - begin_),
                    index + 1, count, type});
  return true;
}

bool Parser::keys_are_unique(uint32_t object) {
  if (nodes_[object].count > kFewKeys) return many_keys_are_unique(object);
  return few_keys_are_unique(object);
}

bool Parser::few_keys_are_unique(uint32_t object) {
  uint32_t keys[kFewKeys];
  const uint32_t count = nodes_[object].count;
  uint32_t key = object + 1;
  bool escaped = false;
  for (uint32_t i = 0; i < count; ++i) {
    keys[i] = key;
    escaped |= nodes_[key].count != 0;
    key = nodes_[key + 1].next;
  }
  if (escaped) return many_keys_are_unique(object);
  for (uint32_t i = 1; i < count; ++i) {
    const Node& a = nodes_[keys[i]];
    const uint32_t length = a.end - a.begin;
    for (uint32_t j = 0; j < i; ++j) {
      const Node& b = nodes_[keys[j]];
      if (b.end - b.begin != length) continue;
      if (std::memcmp(begin_ + a.begin, begin_ + b.begin, length) == 0) {
        repeated_key(keys[i]);
        return false;
      }
    }
  }
  return true;
}

// Sorts by hash, and by text where hashes meet: n log n at worst, whatever keys a peer makes up.
bool Parser::many_keys_are_unique(uint32_t object) {
  struct Key {
    size_t hash;
    uint32_t node;
  };
  std::vector<Key> keys;
  keys.reserve(nodes_[object].count);
  uint32_t key = object + 1;
  for (uint32_t i = 0; i < nodes_[object].count; ++i) {
    keys.push_back({std::hash<std::string_view>{}(key_text(key, key_scratch_[0])), key});
    key = nodes_[key + 1].next;
  }
  std::sort(keys.begin(), keys.end(), [this](const Key& a, const Key& b) {
    if (a.hash != b.hash) return a.hash < b.hash;
    const int order = key_text(a.node, key_scratch_[0]).compare(key_text(b.node, key_scratch_[1]));
    return order != 0 ? order < 0 : a.node < b.node;
  });
  for (size_t i = 1; i < keys.size(); ++i) {
    if (keys[i].hash == keys[i - 1].hash && same_key(keys[i].node, keys[i - 1].node)) {
      repeated_key(keys[i].node);
      return false;
    }
  }
  return true;
}

bool Parser::same_key(uint32_t a, uint32_t b) {
  return key_text(a, key_scratch_[0]) == key_text(b, key_scratch_[1]);
}

std::string_view Parser::key_text(uint32_t node, std::string& scratch) const {
  const Node& key = nodes_[node];
  const std::string_view inner(begin_ + key.begin + 1, key.end - key.begin - 2);
  if (key.count == 0) return inner;
  scratch.clear();
  append_unescaped(scratch, inner);
  return scratch;
}

Parser::Next Parser::repeated_key(uint32_t key) {
  constexpr size_t kShownMax = 64;
  place_ = begin_ + nodes_[key].begin;
  const std::string_view name = key_text(key, key_scratch_[0]);
  error_ = Error(ErrorCode::invalid_argument,
                 fmt::format("{}: expected each member name once, found '{}' again", where(place_),
                             utf8_truncate(name, kShownMax)));
  return Next::failed;
}

void Parser::skip_space() {
  while (place_ < end_) {
    const char c = *place_;
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
    ++place_;
  }
}

std::string Parser::found() const {
  if (place_ == end_) return "the end of the text";
  const auto byte = static_cast<unsigned char>(*place_);
  if (byte > 0x20 && byte < 0x7F) return fmt::format("'{}'", *place_);
  if (std::string_view(place_, static_cast<size_t>(end_ - place_)).starts_with("\xEF\xBB\xBF")) {
    return "a byte order mark";
  }
  return fmt::format("byte 0x{:02X}", byte);
}

std::string Parser::where(const char* place) const {
  const auto lines = 1 + std::count(begin_, place, '\n');
  return fmt::format("at byte {} (line {})", place - begin_, lines);
}

// Texts are made up out of the way: a formatting call in a hot function costs it a stack frame.
Parser::Next Parser::too_deep() {
  return exceeded(fmt::format("nesting deeper than {} levels", limits_.depth_max));
}

Parser::Next Parser::too_many() {
  return exceeded(fmt::format("more than {} values and member names", limits_.nodes_max));
}

Parser::Next Parser::expected(std::string_view what) {
  error_ = Error(ErrorCode::invalid_argument,
                 fmt::format("{}: expected {}, found {}", where(place_), what, found()));
  return Next::failed;
}

Parser::Next Parser::exceeded(std::string_view what) {
  error_ = Error(ErrorCode::limit_exceeded, fmt::format("{}: {}", where(place_), what));
  return Next::failed;
}

}  // namespace weir::json
