#include "dialect/signature.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "base/encoding.h"
#include "dialect/wire.h"

namespace weir::dialect {
namespace {

constexpr std::string_view kMark = "weir1.";
constexpr std::string_view kMarkBase64 = "d2VpcjEu";  // of kMark: six bytes are eight characters
constexpr std::string_view kCallMark = "__weir1";

struct Maker {
  Dialect dialect;
  char letter;
};
constexpr auto kMakers = std::to_array<Maker>({
    {Dialect::openai_chat, 'c'},
    {Dialect::openai_responses, 'r'},
    {Dialect::anthropic_messages, 'a'},
    {Dialect::gemini, 'g'},
    {Dialect::bedrock_converse, 'b'},
});

struct Kind {
  PartKind kind;
  char letter;
};
constexpr auto kKinds = std::to_array<Kind>({
    {PartKind::thinking, 's'},
    {PartKind::redacted_thinking, 'd'},
    {PartKind::text, 't'},
});

char letter_of(Dialect dialect) {
  for (const Maker& maker : kMakers) {
    if (maker.dialect == dialect) return maker.letter;
  }
  return '\0';
}

Dialect maker_of(char letter) {
  for (const Maker& maker : kMakers) {
    if (maker.letter == letter) return maker.dialect;
  }
  return Dialect::passthrough;
}

char letter_of(PartKind kind) {
  for (const Kind& entry : kKinds) {
    if (entry.kind == kind) return entry.letter;
  }
  return '\0';
}

std::optional<PartKind> kind_of(char letter) {
  for (const Kind& entry : kKinds) {
    if (entry.letter == letter) return entry.kind;
  }
  return std::nullopt;
}

// Clients that hold bytes write them again in the alphabet and with the padding that they like.
std::optional<std::string> decode_any_base64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string url(text);
  std::replace(url.begin(), url.end(), '+', '-');
  std::replace(url.begin(), url.end(), '/', '_');
  return base64url_decode(url);
}

std::string hex32(std::string_view text) {
  uint32_t hash = 0x811C9DC5U;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193U;
  std::string out(8, '0');
  for (size_t i = 0; i < 8; ++i) out[7 - i] = "0123456789abcdef"[(hash >> (4 * i)) & 0xFU];
  return out;
}

// Part::signature or Part::data, by the part's kind.
Signed signed_of(const Part& part) {
  const bool opaque = part.kind == PartKind::redacted_thinking;
  return {part.origin, part.kind, part.kind == PartKind::text ? std::string() : part.id,
          opaque ? part.data : part.signature};
}

// What stands behind the mark of a call: "" where it is not whole.
std::string signature_of_call(std::string_view rest) {
  constexpr size_t kHead = 2 + 8 + 1;  // maker, form, checksum, '_'
  if (rest.size() <= kHead) return {};
  const std::string_view value = rest.substr(kHead);
  if (rest.substr(2, 8) != hex32(value)) return {};
  if (rest[1] != 'b') return base64url_decode(value).value_or("");
  std::string signature(value);
  std::replace(signature.begin(), signature.end(), '-', '+');
  std::replace(signature.begin(), signature.end(), '_', '/');
  signature.append((4 - signature.size() % 4) % 4, '=');
  return signature;
}

void take(Part& part, Signed got, Dialect client) {
  part.origin = got.origin == Dialect::passthrough ? client : got.origin;
  if (got.origin == Dialect::passthrough) {
    (part.kind == PartKind::redacted_thinking ? part.data : part.signature) = std::move(got.value);
    return;
  }
  part.kind = got.kind;
  part.id = std::move(got.id);
  (part.kind == PartKind::redacted_thinking ? part.data : part.signature) = std::move(got.value);
}

}  // namespace

std::string marked(const Signed& what) {
  const char maker = letter_of(what.origin);
  const char kind = letter_of(what.kind);
  if (maker == '\0' || kind == '\0' || what.value.empty()) return {};
  if (what.value.size() + what.id.size() > kSignatureBytesMax) return {};
  std::string out(kMark);
  out.append({maker, '.', kind, '.'}).append(plain_id(what.id)).append(1, '.').append(what.value);
  return out;
}

std::string marked_base64(const Signed& what) {
  return base64_encode(marked(what));
}

Signed unmarked(std::string_view field) {
  const auto raw = [&] { return Signed{.value = std::string(field)}; };
  if (!field.starts_with(kMark)) return raw();
  std::string_view rest = field.substr(kMark.size());
  if (rest.size() < 5 || rest[1] != '.' || rest[3] != '.') return raw();
  const Dialect origin = maker_of(rest[0]);
  const auto kind = kind_of(rest[2]);
  rest.remove_prefix(4);
  const size_t dot = rest.find('.');
  if (origin == Dialect::passthrough || !kind || dot == std::string_view::npos) return raw();
  return {origin, *kind, std::string(rest.substr(0, dot)), std::string(rest.substr(dot + 1))};
}

Signed unmarked_base64(std::string_view field) {
  if (field.starts_with(kMarkBase64)) {
    if (const auto bytes = decode_any_base64(field)) {
      Signed got = unmarked(*bytes);
      if (got.origin != Dialect::passthrough) return got;
    }
  }
  return {.value = std::string(field)};
}

std::string signature_field(const Part& part, Dialect client) {
  Signed what = signed_of(part);
  return part.origin == client ? std::move(what.value) : marked(what);
}

std::string signature_field_base64(const Part& part, Dialect client) {
  Signed what = signed_of(part);
  return part.origin == client ? std::move(what.value) : marked_base64(what);
}

void read_signature_field(Part& part, std::string_view field, Dialect client) {
  if (!field.empty()) take(part, unmarked(field), client);
}

void read_signature_field_base64(Part& part, std::string_view field, Dialect client) {
  if (!field.empty()) take(part, unmarked_base64(field), client);
}

bool can_read(Dialect target, Dialect origin) {
  if (target == origin) return true;
  const auto claude = [](Dialect dialect) {
    return dialect == Dialect::anthropic_messages || dialect == Dialect::bedrock_converse;
  };
  return claude(target) && claude(origin);
}

std::string call_id_with(std::string_view id, Dialect origin, std::string_view signature) {
  std::string out(id);
  const char maker = letter_of(origin);
  if (maker == '\0' || signature.empty() || signature.size() > kCallSignatureBytesMax) return out;
  // Canonical base64 keeps its length in the other alphabet; everything else is encoded again.
  std::string value(signature);
  char form = 'b';
  if (base64_decode(signature)) {
    std::replace(value.begin(), value.end(), '+', '-');
    std::replace(value.begin(), value.end(), '/', '_');
    value.erase(value.find_last_not_of('=') + 1);
  } else {
    form = 't';
    value = base64url_encode(signature);
  }
  out.append(kCallMark).append({maker, form}).append(hex32(value)).append(1, '_').append(value);
  return out;
}

CallId read_call_id(std::string_view id) {
  CallId out{.id = std::string(id)};
  // The last mark that is whole: a value may look like one, and an id may have carried one before.
  for (size_t at = id.rfind(kCallMark); at != std::string_view::npos && at > 0;
       at = id.rfind(kCallMark, at - 1)) {
    const std::string_view rest = id.substr(at + kCallMark.size());
    const Dialect origin = rest.empty() ? Dialect::passthrough : maker_of(rest[0]);
    if (origin == Dialect::passthrough) continue;
    out.id.assign(id.substr(0, at));  // cut short so far
    std::string signature = signature_of_call(rest);
    if (signature.empty()) continue;
    out.origin = origin;
    out.signature = std::move(signature);
    return out;
  }
  return out;
}

namespace {

// body.find(needle) for a needle whose byte at `rare` is rare in text: it is looked for first.
bool holds(std::string_view body, std::string_view needle, size_t rare) {
  for (size_t at = body.find(needle[rare], rare); at != std::string_view::npos;
       at = body.find(needle[rare], at + 1)) {
    if (body.substr(at - rare, needle.size()) == needle) return true;
  }
  return false;
}

}  // namespace

bool may_hold_marks(std::string_view body) {
  return holds(body, kMark, kMark.find('1')) || holds(body, kCallMark, kCallMark.find('1')) ||
         holds(body, kMarkBase64, kMarkBase64.find('2'));
}

std::string short_id(std::string_view id, size_t length_max) {
  std::string out = plain_id(id);
  if (out.size() <= length_max) return out;
  out.resize(length_max - 17);
  out.append(1, '_').append(hex32(id)).append(hex32(std::string(id.rbegin(), id.rend())));
  return out;
}

}  // namespace weir::dialect
