#include "base/json/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "base/json/scan.h"
#include "base/json/unescape.h"
#include "base/utf8.h"

namespace weir::json {
namespace {

constexpr uint32_t kNone = UINT32_MAX;
constexpr uint32_t kFewKeys = 16;  // up to here comparing all pairs beats sorting

constexpr bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

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

#if defined(__x86_64__)
constexpr ptrdiff_t kLong = 64;

// skip_plain() in steps of 32 bytes, up to the last whole one or what needs attention.
[[gnu::target("avx2")]] const char* skip_plain_by_32(const char* at, const char* end,
                                                     bool& non_ascii) {
  const __m256i quote = _mm256_set1_epi8('"');
  const __m256i backslash = _mm256_set1_epi8('\\');
  const __m256i last_control = _mm256_set1_epi8(0x1F);
  __m256i all = _mm256_setzero_si256();
  for (; end - at >= 32; at += 32) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    const __m256i special = _mm256_or_si256(
        _mm256_or_si256(_mm256_cmpeq_epi8(bytes, quote), _mm256_cmpeq_epi8(bytes, backslash)),
        _mm256_cmpeq_epi8(_mm256_max_epu8(bytes, last_control), last_control));
    if (_mm256_movemask_epi8(special) != 0) break;
    all = _mm256_or_si256(all, bytes);
  }
  non_ascii = non_ascii || _mm256_movemask_epi8(all) != 0;
  return at;
}
#endif

// Of a string that ends within sixteen bytes and is plain ASCII, as most names are: its closing
// quote. nullptr where it is any other.
[[gnu::always_inline]] inline const char* end_of_short(const char* at, const char* end) {
#if defined(__SSE2__)
  if (end - at < 16) return nullptr;
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  const __m128i last_control = _mm_set1_epi8(0x1F);
  // The sign bit of what is not ASCII counts, too.
  const __m128i special = _mm_or_si128(
      _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                   _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))),
      _mm_or_si128(_mm_cmpeq_epi8(_mm_max_epu8(bytes, last_control), last_control), bytes));
  const auto found = static_cast<unsigned>(_mm_movemask_epi8(special));
  if (found == 0) return nullptr;
  const char* const stop = at + __builtin_ctz(found);
  return *stop == '"' ? stop : nullptr;
#else
  static_cast<void>(at);
  static_cast<void>(end);
  return nullptr;
#endif
}

}  // namespace

Parser::Parser(Document& document, const Limits& limits)
    : document_(document),
      limits_(limits),
      begin_(document.text_.data()),
      place_(begin_),
      end_(begin_ + document.text_.size()),
      nodes_(document.room_.nodes.get()),
      capacity_(std::min(document.room_.capacity, limits.nodes_max)) {}

Result<void> Parser::run() {
  if (document_.text_.size() >= kNone) {
    return fail(ErrorCode::limit_exceeded, "a JSON text of 4 GiB or more");
  }
  if (fill() == Step::failed) return fail(std::move(error_));
  document_.count_ = count_;
  return {};
}

// One function, whose state is in local variables and in where it stands: that is what makes it
// fast. Each label is named for what may stand at `p`, behind any white space.
Parser::Step Parser::fill() {
  const char* const begin = begin_;
  const char* const end = end_;
  const char* p = begin;
  Node* nodes = nodes_;
  uint32_t count = 0;
  uint32_t capacity = capacity_;
  Node outside{};         // what the root stands in
  uint32_t open = kNone;  // the innermost open container
  Node* box = &outside;   // its node
  uint32_t bit = 0;       // of the length of the string read last
  bool in_object = false;
  uint32_t depth = 0;

  const auto skip_space = [&]() __attribute__((always_inline)) {
    while (p < end && is_space(*p)) ++p;
  };
  const auto digit_here = [&]() __attribute__((always_inline)) {
    return p < end && *p >= '0' && *p <= '9';
  };
  // Adds what stands between `from` and `to`; false at the limit of nodes, which place_ then tells.
  const auto add = [&](const char* from, const char* to, Type type, uint32_t escaped)
                       __attribute__((always_inline)) {
                         if (count == capacity) [[unlikely]] {
                           count_ = count;
                           place_ = p;
                           if (!more_room()) return false;
                           nodes = nodes_;
                           capacity = capacity_;
                           if (open != kNone) box = nodes + open;
                         }
                         Node& node = nodes[count];
                         node.begin = static_cast<uint32_t>(from - begin);
                         node.end = static_cast<uint32_t>(to - begin);
                         node.next = ++count;
                         node.count = escaped;
                         node.sizes = 0;
                         node.type = type;
                         return true;
                       };
  // From a quote to behind the one that ends the string.
  const auto read_string = [&]() __attribute__((always_inline)) {
    const char* const quote = p;
    uint32_t escaped = 0;
    const char* stop = end_of_short(quote + 1, end);
    if (stop == nullptr) stop = end_of_string(quote, escaped);
    if (stop == nullptr) return false;
    p = stop + 1;
    // A name with an escape may be any length.
    bit = escaped != 0 ? UINT32_MAX : Document::bit_of(static_cast<size_t>(stop - quote) - 1);
    return add(quote, p, Type::string, escaped);
  };

value:
  skip_space();
value_here:
  if (p == end) return expected(p, "a value");
  ++box->count;
  switch (*p) {
    case '"':
      if (!read_string()) return Step::failed;
      goto behind_value;
    case '{':
    case '[': {
      if (depth >= limits_.depth_max) [[unlikely]] {
        return too_deep(p);
      }
      in_object = *p == '{';
      const uint32_t node = count;
      if (!add(p, p + 1, in_object ? Type::object : Type::array, 0)) return Step::failed;
      nodes[node].next = open;  // the container around it, until this one closes
      open = node;
      box = nodes + open;
      ++depth;
      ++p;
      skip_space();
      if (in_object) goto key_or_close;
      if (p < end && *p == ']') goto close;
      goto value_here;
    }
    case 't':
    case 'f':
    case 'n': {
      const std::string_view word = *p == 'n' ? "null" : *p == 't' ? "true" : "false";
      if (!std::string_view(p, static_cast<size_t>(end - p)).starts_with(word)) {
        return expected(p, *p == 'n' ? "'null'" : *p == 't' ? "'true'" : "'false'");
      }
      const Type type = *p == 'n' ? Type::null : Type::boolean;
      if (!add(p, p + word.size(), type, 0)) return Step::failed;
      p += word.size();
      goto behind_value;
    }
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': {
      const char* const start = p;
      if (*p == '-') ++p;
      if (!digit_here()) return expected(p, "a digit");
      if (*p++ == '0') {
        if (digit_here()) return expected(p, "a number without leading zeros");
      } else {
        while (digit_here()) ++p;
      }
      if (p < end && *p == '.') {
        ++p;
        if (!digit_here()) return expected(p, "a digit");
        while (digit_here()) ++p;
      }
      if (p < end && (*p == 'e' || *p == 'E')) {
        ++p;
        if (p < end && (*p == '+' || *p == '-')) ++p;
        if (!digit_here()) return expected(p, "a digit");
        while (digit_here()) ++p;
      }
      if (!add(start, p, Type::number, 0)) return Step::failed;
      goto behind_value;
    }
    default:
      return expected(
          p, open != kNone && !in_object && box->count == 1 ? "a value or ']'" : "a value");
  }

behind_value:
  skip_space();
  if (open == kNone) goto behind_root;
  if (p < end && *p == ',') {
    ++p;
    if (!in_object) goto value;
    skip_space();
    if (p == end || *p != '"') return expected(p, "a member name in quotes");
    goto key;
  }
  if (p < end && *p == (in_object ? '}' : ']')) goto close;
  return expected(p, in_object ? "',' or '}'" : "',' or ']'");

key_or_close:
  if (p < end && *p == '}') goto close;
  if (p == end || *p != '"') return expected(p, "a member name in quotes or '}'");
key:
  if (!read_string()) return Step::failed;
  box->sizes |= bit;
  if (p == end || *p != ':') [[unlikely]] {
    skip_space();
    if (p == end || *p != ':') return expected(p, "':'");
  }
  ++p;
  goto value;

close: {
  Node& node = *box;
  const uint32_t closing = open;
  open = node.next;
  --depth;
  ++p;
  node.end = static_cast<uint32_t>(p - begin);
  node.next = count;
  if (in_object && node.count > 1 && depth < limits_.unique_keys_levels &&
      !keys_are_unique(closing)) {
    return Step::failed;
  }
  box = open == kNone ? &outside : nodes + open;
  in_object = box->type == Type::object;
  goto behind_value;
}

behind_root:
  if (p != end) return expected(p, "the end of the text");
  count_ = count;
  return Step::done;
}

// The quote that ends a string, from behind the one that begins it; nullptr on a failure.
const char* Parser::end_of_string(const char* quote, uint32_t& escaped) {
  const char* p = quote + 1;
  bool non_ascii = false;
#if defined(__x86_64__)
  if (end_ - p >= kLong && __builtin_cpu_supports("avx2")) {
    p = skip_plain_by_32(p, end_, non_ascii);
  }
#endif
  while (true) {
    p = skip_plain(p, end_, non_ascii);
    if (p == end_) {
      expected(p, "'\"' at the end of a string");
      return nullptr;
    }
    if (*p == '"') break;
    if (*p != '\\') {
      expected(p, "a control character written as an escape such as \\n");
      return nullptr;
    }
    escaped = 1;
    place_ = p;
    if (!read_escape()) return nullptr;
    p = place_;
  }
  return non_ascii && !utf8_is_valid(quote, p) ? nullptr : p;
}

bool Parser::utf8_is_valid(const char* quote, const char* end) {
  const std::string_view content(quote, static_cast<size_t>(end - quote));
  const size_t valid = utf8_valid_prefix(content);
  if (valid == content.size()) return true;
  expected(quote + valid, "valid UTF-8");
  return false;
}

bool Parser::read_escape() {
  const char* const backslash = place_++;
  if (place_ < end_ && is_short_escape(*place_)) {
    ++place_;
    return true;
  }
  if (!at('u')) {
    expected(place_, "one of \"\\/bfnrtu behind a backslash");
    return false;
  }
  if (end_ - backslash >= 6 && read_hex4(backslash + 2) >= 0) {
    place_ = backslash + 6;
    return true;
  }
  ++place_;
  while (place_ < end_ && hex_digit(*place_) >= 0) ++place_;  // to where it goes wrong
  expected(place_, "four hex digits behind \\u");
  return false;
}

bool Parser::more_room() {
  if (count_ >= limits_.nodes_max) {
    exceeded(fmt::format("more than {} values and member names", limits_.nodes_max));
    return false;
  }
  document_.room_.grow(count_, count_ + 16);
  nodes_ = document_.room_.nodes.get();
  capacity_ = std::min(document_.room_.capacity, limits_.nodes_max);
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

void Parser::repeated_key(uint32_t key) {
  constexpr size_t kShownMax = 64;
  place_ = begin_ + nodes_[key].begin;
  const std::string_view name = key_text(key, key_scratch_[0]);
  error_ = Error(ErrorCode::invalid_argument,
                 fmt::format("{}: expected each member name once, found '{}' again", where(place_),
                             utf8_truncate(name, kShownMax)));
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

Parser::Step Parser::too_deep(const char* place) {
  place_ = place;
  return exceeded(fmt::format("nesting deeper than {} levels", limits_.depth_max));
}

Parser::Step Parser::expected(const char* place, std::string_view what) {
  place_ = place;
  error_ = Error(ErrorCode::invalid_argument,
                 fmt::format("{}: expected {}, found {}", where(place_), what, found()));
  return Step::failed;
}

Parser::Step Parser::exceeded(std::string_view what) {
  error_ = Error(ErrorCode::limit_exceeded, fmt::format("{}: {}", where(place_), what));
  return Step::failed;
}

}  // namespace weir::json
