// The description of every object of the configuration: one table per struct, one line per field.
// From these tables come decoding, the reference page, the JSON Schema and the printed effective
// configuration, so none of them can differ. Tables are built once (tables.cc) and immutable; any
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/reader.h"
#include "app/config/yaml.h"

namespace weir::app {

enum class FieldKind : uint8_t {
  text,         // any text without control characters
  name,         // the name of an account, model, team or key
  path,         // of a file or folder, from the working directory
  url,          // http or https
  secret,       // text that is never shown; "file:PATH" reads it from a file
  boolean,      // true, false
  integer,      // min..max
  duration,     // 2s, 500ms
  size,         // 100MiB
  percent,      // 10%
  money,        // US dollars as an exact decimal
  moment,       // a date or a time in UTC
  listen,       // host:port
  choice,       // one of `choices`
  names,        // a list of names
  text_map,     // name: text
  header_map,   // HTTP header: text, shown only by name
  object,       // `object`
  object_list,  // a list of `object`
};

// What a field demands beyond its type.
struct Rule {
  bool required = false;
  int64_t min = 0;  // integers; durations in milliseconds; sizes in bytes
  int64_t max = std::numeric_limits<int64_t>::max();
  FieldKind as = FieldKind::text;    // which kind of text a std::string is
  std::string_view unset = {};       // what absence means, for the reference: "unlimited"
  std::string_view of_default = {};  // where the default comes from: "defaults.timeouts.connect"
};

struct WriteOptions {
  bool secrets = false;  // write secrets in clear: for tests of a round trip
};

struct ObjectSpec;

struct FieldSpec {
  std::string_view name;
  std::string_view doc;  // one sentence or two
  FieldKind kind = FieldKind::text;
  Rule rule;
  std::vector<std::string_view> choices;
  const ObjectSpec* object = nullptr;
  std::string default_text;  // as one would write it; empty: none
  std::function<void(const YamlNode& node, void* owner, Reader& reader)> read;
  // The field's value as a tree; Kind::null where it is absent.
  std::function<YamlNode(const void* owner, const WriteOptions& options)> write;
};

struct ObjectSpec {
  std::string_view title;  // "Account"
  std::string_view doc;
  std::vector<FieldSpec> fields;

  const FieldSpec* find(std::string_view name) const;
};

// The whole file's table.
const ObjectSpec& config_spec();

// Reads a map into `owner`, field by field in the order of the table: unknown fields, missing ones
// and every wrong value are reported, the rest is filled in.
void read_object(const ObjectSpec& spec, const YamlNode& node, void* owner, Reader& reader);
YamlNode write_object(const ObjectSpec& spec, const void* owner, const WriteOptions& options);

// A scalar for a tree: a text that is to be quoted where YAML would read it otherwise, or a
// literal.
YamlNode text_node(std::string text);
YamlNode literal_node(std::string text);

}  // namespace weir::app
