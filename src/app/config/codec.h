// How each C++ type of config.h is read from YAML and written back: Codec<T>::read and ::write, and
// Table, which turns a struct's members into an ObjectSpec. Included by tables.cc only.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/config/config.h"
#include "app/config/schema.h"
#include "app/config/values.h"
#include "app/nearest.h"

namespace weir::app {

// The table of a struct; one specialization per struct, in tables.cc.
template <class T>
const ObjectSpec& spec_of();

// A value to decode over: what absent fields keep. Models take theirs from `defaults`.
template <class T>
T initial(const Reader&) {
  return T{};
}
template <>
inline Model initial<Model>(const Reader& reader) {
  Model model;
  model.timeouts = reader.defaults.timeouts;
  model.retries = reader.defaults.retries;
  return model;
}

// The values of an enum in the order of the documentation; to_string gives their names.
template <class E>
struct Choices;

// Everything else is an object with a table of its own.
template <class T>
struct Codec {
  static constexpr bool kIsObject = true;
  static FieldKind kind(const Rule&) { return FieldKind::object; }
  static void read(const YamlNode& node, T& out, const FieldSpec&, Reader& reader) {
    read_object(spec_of<T>(), node, &out, reader);
    if constexpr (std::same_as<T, Defaults>) reader.defaults = out;
  }
  static YamlNode write(const T& value, const WriteOptions& options) {
    YamlNode map = write_object(spec_of<T>(), &value, options);
    return map.entries.empty() ? YamlNode{} : map;
  }
};

std::string escape_variables(std::string_view text);
bool check_text(const std::string& text, const YamlNode& node, const FieldSpec& field,
                Reader& reader);
std::optional<std::string> read_text(const YamlNode& node, const FieldSpec& field, Reader& reader);
bool check_range(int64_t value, const YamlNode& node, const FieldSpec& field, Reader& reader);
void read_names(const YamlNode& node, std::vector<std::string>& out, Reader& reader);
void read_text_map(const YamlNode& node, std::map<std::string, std::string>& out,
                   const FieldSpec& field, Reader& reader);

// Scalars whose text is parsed by a function of values.h. False after a problem.
template <class T, class Parse>
bool read_parsed(const YamlNode& node, T& out, std::string_view expected, Reader& reader,
                 const Parse& parse) {
  const std::optional<std::string> text = reader.text_of(node, expected);
  if (!text) return false;
  auto value = parse(*text);
  if (!value) {
    reader.problem(ProblemCode::bad_value, node,
                   fmt::format("{}, got {}", value.error().message(), node.describe()));
    return false;
  }
  out = std::move(*value);
  return true;
}

template <>
struct Codec<std::string> {
  static FieldKind kind(const Rule& rule) { return rule.as; }
  static void read(const YamlNode& node, std::string& out, const FieldSpec& field, Reader& reader) {
    std::optional<std::string> text = read_text(node, field, reader);
    if (text) out = std::move(*text);
  }
  static YamlNode write(const std::string& value, const WriteOptions&) {
    return value.empty() ? YamlNode{} : text_node(escape_variables(value));
  }
};

template <>
struct Codec<Secret> {
  static FieldKind kind(const Rule&) { return FieldKind::secret; }
  static void read(const YamlNode& node, Secret& out, const FieldSpec&, Reader& reader) {
    std::optional<std::string> text = reader.text_of(node, "a secret", true);
    if (text) out = Secret(std::move(*text));
  }
  static YamlNode write(const Secret& value, const WriteOptions& options) {
    if (value.empty()) return {};
    return text_node(options.secrets ? escape_variables(value.reveal()) : "<secret>");
  }
};

template <>
struct Codec<bool> {
  static FieldKind kind(const Rule&) { return FieldKind::boolean; }
  static void read(const YamlNode& node, bool& out, const FieldSpec&, Reader& reader) {
    read_parsed(node, out, "true or false", reader, parse_boolean);
  }
  static YamlNode write(bool value, const WriteOptions&) {
    return literal_node(value ? "true" : "false");
  }
};

template <class T>
  requires std::same_as<T, int64_t> || std::same_as<T, uint32_t>
struct Codec<T> {
  static FieldKind kind(const Rule&) { return FieldKind::integer; }
  static void read(const YamlNode& node, T& out, const FieldSpec& field, Reader& reader) {
    int64_t value = static_cast<int64_t>(out);
    if (!read_parsed(node, value, "a whole number", reader, parse_integer)) return;
    if (check_range(value, node, field, reader)) out = static_cast<T>(value);
  }
  static YamlNode write(T value, const WriteOptions&) {
    return literal_node(fmt::format("{}", value));
  }
};

template <>
struct Codec<uint64_t> {  // always a count of bytes
  static FieldKind kind(const Rule&) { return FieldKind::size; }
  static void read(const YamlNode& node, uint64_t& out, const FieldSpec& field, Reader& reader) {
    uint64_t value = out;
    if (!read_parsed(node, value, "a size such as 64KiB", reader, parse_size)) return;
    if (check_range(static_cast<int64_t>(value), node, field, reader)) out = value;
  }
  static YamlNode write(uint64_t value, const WriteOptions&) {
    return literal_node(format_size(value));
  }
};

template <>
struct Codec<Milliseconds> {
  static FieldKind kind(const Rule&) { return FieldKind::duration; }
  static void read(const YamlNode& node, Milliseconds& out, const FieldSpec& field,
                   Reader& reader) {
    Milliseconds value = out;
    if (!read_parsed(node, value, "a time such as 2s", reader, parse_duration)) return;
    if (check_range(value.count(), node, field, reader)) out = value;
  }
  static YamlNode write(Milliseconds value, const WriteOptions&) {
    return literal_node(format_duration(value));
  }
};

template <>
struct Codec<Percent> {
  static FieldKind kind(const Rule&) { return FieldKind::percent; }
  static void read(const YamlNode& node, Percent& out, const FieldSpec&, Reader& reader) {
    read_parsed(node, out, "a share such as 10%", reader, parse_percent);
  }
  static YamlNode write(Percent value, const WriteOptions&) {
    return literal_node(format_percent(value));
  }
};

template <>
struct Codec<Money> {
  static FieldKind kind(const Rule&) { return FieldKind::money; }
  static void read(const YamlNode& node, Money& out, const FieldSpec& field, Reader& reader) {
    Money value = out;
    if (!read_parsed(node, value, "an amount of dollars", reader, parse_dollars)) return;
    if (check_range(value.nano(), node, field, reader)) out = value;
  }
  static YamlNode write(Money value, const WriteOptions&) { return literal_node(value.to_usd()); }
};

template <>
struct Codec<Moment> {
  static FieldKind kind(const Rule&) { return FieldKind::moment; }
  static void read(const YamlNode& node, Moment& out, const FieldSpec&, Reader& reader) {
    read_parsed(node, out, "a date such as 2026-05-01", reader, parse_moment);
  }
  static YamlNode write(Moment value, const WriteOptions&) {
    return text_node(format_moment(value));
  }
};

template <>
struct Codec<ListenAddress> {
  static FieldKind kind(const Rule&) { return FieldKind::listen; }
  static void read(const YamlNode& node, ListenAddress& out, const FieldSpec&, Reader& reader) {
    read_parsed(node, out, "an address such as 127.0.0.1:8080", reader, parse_listen);
  }
  static YamlNode write(const ListenAddress& value, const WriteOptions&) {
    return text_node(value.to_text());
  }
};

template <class T>
  requires std::is_enum_v<T>
struct Codec<T> {
  static FieldKind kind(const Rule&) { return FieldKind::choice; }
  static std::vector<std::string_view> choices() {
    std::vector<std::string_view> names;
    for (const T value : Choices<T>::kValues) names.push_back(to_string(value));
    return names;
  }
  static void read(const YamlNode& node, T& out, const FieldSpec& field, Reader& reader) {
    const std::string expected = fmt::format("one of {}", fmt::join(field.choices, ", "));
    const std::optional<std::string> text = reader.text_of(node, expected);
    if (!text) return;
    for (const T value : Choices<T>::kValues) {
      if (to_string(value) != *text) continue;
      out = value;
      return;
    }
    reader.problem(ProblemCode::bad_value, node,
                   fmt::format("expected {}, got {}{}", expected, node.describe(),
                               did_you_mean(*text, field.choices)));
  }
  static YamlNode write(T value, const WriteOptions&) {
    return literal_node(std::string(to_string(value)));
  }
};

template <>
struct Codec<std::vector<std::string>> {
  static FieldKind kind(const Rule&) { return FieldKind::names; }
  static void read(const YamlNode& node, std::vector<std::string>& out, const FieldSpec&,
                   Reader& reader) {
    read_names(node, out, reader);
  }
  static YamlNode write(const std::vector<std::string>& value, const WriteOptions&) {
    YamlNode list;
    if (value.empty()) return list;
    list.kind = YamlNode::Kind::list;
    for (const std::string& item : value) list.items.push_back(text_node(escape_variables(item)));
    return list;
  }
};

template <>
struct Codec<std::map<std::string, std::string>> {
  static FieldKind kind(const Rule& rule) {
    return rule.as == FieldKind::header_map ? FieldKind::header_map : FieldKind::text_map;
  }
  static void read(const YamlNode& node, std::map<std::string, std::string>& out,
                   const FieldSpec& field, Reader& reader) {
    read_text_map(node, out, field, reader);
  }
  static YamlNode write(const std::map<std::string, std::string>& value, bool secret) {
    YamlNode map;
    if (value.empty()) return map;
    map.kind = YamlNode::Kind::map;
    for (const auto& [key, text] : value) {
      map.entries.push_back({key, 0, 0, text_node(secret ? "<secret>" : escape_variables(text))});
    }
    return map;
  }
};

template <class T>
struct Codec<std::optional<T>> {
  static FieldKind kind(const Rule& rule) { return Codec<T>::kind(rule); }
  static void read(const YamlNode& node, std::optional<T>& out, const FieldSpec& field,
                   Reader& reader) {
    T value{};
    Codec<T>::read(node, value, field, reader);
    out = std::move(value);
  }
  static YamlNode write(const std::optional<T>& value, const WriteOptions& options) {
    return value ? Codec<T>::write(*value, options) : YamlNode{};
  }
};

template <class T>
struct Codec<std::vector<T>> {
  static FieldKind kind(const Rule&) { return FieldKind::object_list; }
  static void read(const YamlNode& node, std::vector<T>& out, const FieldSpec& field,
                   Reader& reader) {
    if (node.kind != YamlNode::Kind::list) {
      reader.problem(ProblemCode::wrong_type, node,
                     fmt::format("expected a list of {}, each beginning with \"- \", got {}",
                                 field.name, node.describe()));
      return;
    }
    for (size_t i = 0; i < node.items.size(); ++i) {
      const Reader::Step step(reader, node.items[i], i);
      out.push_back(initial<T>(reader));
      read_object(spec_of<T>(), node.items[i], &out.back(), reader);
    }
  }
  static YamlNode write(const std::vector<T>& value, const WriteOptions& options) {
    YamlNode list;
    if (value.empty()) return list;
    list.kind = YamlNode::Kind::list;
    for (const T& item : value) list.items.push_back(write_object(spec_of<T>(), &item, options));
    return list;
  }
};

template <class T>
struct ElementOf {
  using Type = T;
};
template <class T>
struct ElementOf<std::optional<T>> {
  using Type = T;
};
template <class T>
struct ElementOf<std::vector<T>> {
  using Type = T;
};

// Builds an ObjectSpec member by member. Defaults are read off a default-constructed T.
template <class T>
class Table {
 public:
  Table(std::string_view title, std::string_view doc) : spec_{title, doc, {}} {}

  template <class M>
  Table& field(std::string_view name, M T::* member, std::string_view doc, Rule rule = {}) {
    FieldSpec field;
    field.name = name;
    field.doc = doc;
    field.rule = rule;
    field.kind = Codec<M>::kind(rule);
    using Element = typename ElementOf<M>::Type;
    if constexpr (std::is_enum_v<Element>) field.choices = Codec<Element>::choices();
    if constexpr (requires { Codec<Element>::kIsObject; }) field.object = &spec_of<Element>();
    field.write = [member, kind = field.kind](const void* owner, const WriteOptions& options) {
      const M& value = static_cast<const T*>(owner)->*member;
      if constexpr (std::same_as<M, std::map<std::string, std::string>>) {
        return Codec<M>::write(value, kind == FieldKind::header_map && !options.secrets);
      } else {
        (void)kind;
        return Codec<M>::write(value, options);
      }
    };
    const T defaults{};
    const YamlNode written = field.write(&defaults, {});
    if (written.kind == YamlNode::Kind::scalar && !rule.required) field.default_text = written.text;
    const size_t index = spec_.fields.size();
    field.read = [member, index](const YamlNode& node, void* owner, Reader& reader) {
      Codec<M>::read(node, static_cast<T*>(owner)->*member, spec_of<T>().fields[index], reader);
    };
    spec_.fields.push_back(std::move(field));
    return *this;
  }

  ObjectSpec done() { return std::move(spec_); }

 private:
  ObjectSpec spec_;
};

}  // namespace weir::app
