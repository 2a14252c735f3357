#include "app/config/codec.h"

#include <algorithm>

#include "base/text.h"

namespace weir::app {
namespace {

constexpr size_t kNameMax = 128;
constexpr size_t kItemsMax = 10'000;

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_name(std::string_view text, std::string_view also) {
  return !text.empty() && text.size() <= kNameMax && is_alphanumeric(text.front()) &&
         std::all_of(text.begin(), text.end(), [also](char c) {
           return is_alphanumeric(c) || also.find(c) != std::string_view::npos;
         });
}

// RFC 9110 token.
bool is_header_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_alphanumeric(c) ||
                  std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
         });
}

// Headers that Weir writes itself.
bool is_reserved_header(std::string_view name) {
  for (const std::string_view reserved :
       {"host", "content-length", "content-type", "transfer-encoding", "connection", "upgrade",
        "te", "trailer", "keep-alive", "proxy-connection", "expect", "accept-encoding"}) {
    if (equals_ignore_case(name, reserved)) return true;
  }
  return false;
}

constexpr std::string_view kNameCharacters = "._:/@+-";
constexpr std::string_view kNameRule =
    "a name of at most 128 letters, digits and . _ - : / @ +, beginning with a letter or digit";

std::string expectation(const FieldSpec& field) {
  switch (field.kind) {
    case FieldKind::name:
      return std::string(kNameRule);
    case FieldKind::url:
      return "an address such as https://api.example.com/v1";
    case FieldKind::path:
      return "a path";
    default:
      return "a text";
  }
}

std::string format_bound(int64_t value, FieldKind kind) {
  if (kind == FieldKind::duration) return format_duration(Milliseconds(value));
  if (kind == FieldKind::size) return format_size(static_cast<uint64_t>(value));
  if (kind == FieldKind::money) return Money::from_nano(value).to_usd();
  return fmt::format("{}", value);
}

}  // namespace

std::string escape_variables(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("${")) out += '$';
    out += text[i];
  }
  return out;
}

std::optional<std::string> read_text(const YamlNode& node, const FieldSpec& field, Reader& reader) {
  std::optional<std::string> text = reader.text_of(node, expectation(field));
  if (!text) return std::nullopt;
  if (field.kind == FieldKind::name && !is_name(*text, kNameCharacters)) {
    reader.problem(ProblemCode::bad_value, node,
                   fmt::format("expected {}, got {}", kNameRule, node.describe()));
    return std::nullopt;
  }
  if (field.kind == FieldKind::url && !text->empty()) {
    Result<std::string> url = parse_url(*text);
    if (!url) {
      reader.problem(ProblemCode::bad_value, node, std::string(url.error().message()));
      return std::nullopt;
    }
    return std::move(*url);
  }
  if (text->empty() && field.rule.required) {
    reader.problem(ProblemCode::bad_value, node,
                   fmt::format("expected {}, got an empty text", expectation(field)));
    return std::nullopt;
  }
  return text;
}

bool check_range(int64_t value, const YamlNode& node, const FieldSpec& field, Reader& reader) {
  const Rule& rule = field.rule;
  if (value >= rule.min && value <= rule.max) return true;
  const std::string bounds = rule.max == std::numeric_limits<int64_t>::max()
                                 ? fmt::format("at least {}", format_bound(rule.min, field.kind))
                                 : fmt::format("{} to {}", format_bound(rule.min, field.kind),
                                               format_bound(rule.max, field.kind));
  reader.problem(ProblemCode::bad_value, node,
                 fmt::format("expected {}, got {}", bounds, node.describe()));
  return false;
}

void read_names(const YamlNode& node, std::vector<std::string>& out, Reader& reader) {
  if (node.kind != YamlNode::Kind::list) {
    reader.problem(ProblemCode::wrong_type, node,
                   fmt::format("expected a list of names such as [a, b], got {}", node.describe()));
    return;
  }
  if (node.items.size() > kItemsMax) {
    reader.problem(ProblemCode::limit, node, fmt::format("more than {} names", kItemsMax));
    return;
  }
  for (size_t i = 0; i < node.items.size(); ++i) {
    const Reader::Step step(reader, node.items[i], i);
    std::optional<std::string> text = reader.text_of(node.items[i], "a name");
    if (!text) continue;
    std::string_view stem = *text;
    if (stem.ends_with('*')) stem.remove_suffix(1);
    if (!(stem.empty() && *text == "*") && !is_name(stem, kNameCharacters)) {
      reader.problem(ProblemCode::bad_value, node.items[i],
                     fmt::format("expected {}, got {}", kNameRule, node.items[i].describe()));
    }
    // Kept even when it is wrong, so that later items keep their number.
    out.push_back(std::move(*text));
  }
}

void read_text_map(const YamlNode& node, std::map<std::string, std::string>& out,
                   const FieldSpec& field, Reader& reader) {
  const bool headers = field.kind == FieldKind::header_map;
  if (node.kind != YamlNode::Kind::map) {
    reader.problem(
        ProblemCode::wrong_type, node,
        fmt::format("expected a map such as {{ {}: text }}, got {}", headers ? "x-team" : "name",
                    node.kind == YamlNode::Kind::list ? "a list" : "a text"));
    return;
  }
  for (const YamlEntry& entry : node.entries) {
    const Reader::Step step(reader, entry.value, entry.key);
    if (headers ? !is_header_name(entry.key) : !is_name(entry.key, kNameCharacters)) {
      reader.problem(ProblemCode::bad_value, entry.value,
                     fmt::format("expected {} before the colon",
                                 headers ? "the name of an HTTP header" : kNameRule));
      continue;
    }
    if (headers && is_reserved_header(entry.key)) {
      reader.problem(ProblemCode::conflict, entry.value, "this header is written by Weir itself");
      continue;
    }
    std::optional<std::string> text = reader.text_of(entry.value, "a text", headers);
    if (text) out.insert_or_assign(entry.key, std::move(*text));
  }
}

}  // namespace weir::app
