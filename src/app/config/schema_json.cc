// The JSON Schema half of reference.h. Scalars that are not texts are described twice: as
// themselves, and as a text that holds ${NAME}.
#include <fmt/format.h>

#include <limits>
#include <string>

#include "app/config/reference.h"
#include "app/config/schema.h"
#include "base/json/writer.h"

namespace weir::app {
namespace {

constexpr std::string_view kVariable = R"(\$\{)";
constexpr std::string_view kNamePattern = R"(^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$)";

class SchemaWriter {
 public:
  explicit SchemaWriter(std::string& out) : w_(out) {}

  void document() {
    w_.begin_object();
    w_.member("$schema", "https://json-schema.org/draft/2020-12/schema");
    w_.member("title", "Weir configuration");
    w_.member("description", config_spec().doc);
    w_.member("type", "object");
    w_.member("additionalProperties", false);
    w_.key("patternProperties").begin_object();
    w_.key("^x-").begin_object().end_object();
    w_.end_object();
    members(config_spec(), false);
    w_.end_object();
  }

 private:
  void standard(const FieldSpec& field) {
    if (field.default_text.empty() || !field.rule.of_default.empty()) return;
    w_.key("default");
    if (field.kind == FieldKind::integer || field.kind == FieldKind::boolean) {
      w_.raw(field.default_text);
    } else {
      w_.string(field.default_text);
    }
  }

  void pattern(std::string_view regex) {
    w_.member("type", "string");
    w_.member("pattern", fmt::format("{}|{}", regex, kVariable));
  }

  // Begins "anyOf": [{text with a variable}, { ... the caller's members }]; close with end_either.
  void begin_either(std::string_view text_pattern = kVariable) {
    w_.key("anyOf").begin_array();
    w_.begin_object();
    w_.member("type", "string");
    w_.member("pattern", text_pattern);
    w_.end_object();
    w_.begin_object();
  }
  void end_either() { w_.end_object().end_array(); }

  void type(const FieldSpec& field) {
    switch (field.kind) {
      case FieldKind::name:
        pattern(kNamePattern);
        break;
      case FieldKind::url:
        pattern("^https?://");
        break;
      case FieldKind::text:
      case FieldKind::path:
      case FieldKind::secret:
        w_.key("type").begin_array().string("string").string("number").end_array();
        break;
      case FieldKind::listen:
        pattern(R"(^.*:[0-9]+$)");
        break;
      case FieldKind::boolean:
        begin_either();
        w_.member("type", "boolean");
        end_either();
        break;
      case FieldKind::integer:
        integer(field);
        break;
      case FieldKind::duration:
        pattern(R"(^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$)");
        break;
      case FieldKind::size:
        begin_either();
        w_.member("type", "integer");
        w_.member("minimum", field.rule.min);
        w_.end_object().begin_object();
        w_.member("type", "string");
        w_.member("pattern", "^[0-9]+ ?([KMG]i?B|B)?$");
        end_either();
        break;
      case FieldKind::percent:
        begin_either();
        w_.member("type", "number");
        w_.member("minimum", 0).member("maximum", 1);
        w_.end_object().begin_object();
        w_.member("type", "string");
        w_.member("pattern", R"(^[0-9]+(\.[0-9]+)?%?$)");
        end_either();
        break;
      case FieldKind::money:
        begin_either();
        w_.member("type", "number");
        w_.member("minimum", 0);
        w_.end_object().begin_object();
        w_.member("type", "string");
        w_.member("pattern", R"(^[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$)");
        end_either();
        break;
      case FieldKind::moment:
        pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}");
        break;
      case FieldKind::choice:
        begin_either();
        w_.key("enum").begin_array();
        for (const std::string_view choice : field.choices) w_.string(choice);
        w_.end_array();
        end_either();
        break;
      case FieldKind::names:
        w_.member("type", "array");
        w_.key("items").begin_object().member("type", "string").end_object();
        break;
      case FieldKind::text_map:
      case FieldKind::header_map:
        w_.member("type", "object");
        w_.key("additionalProperties").begin_object();
        w_.key("type").begin_array().string("string").string("number").end_array();
        w_.end_object();
        break;
      case FieldKind::object:
        object(field);
        break;
      case FieldKind::object_list:
        w_.member("type", "array");
        w_.key("items").begin_object();
        object(field);
        w_.end_object();
        break;
    }
  }

  void integer(const FieldSpec& field) {
    begin_either(R"(^[0-9][0-9_]*$|\$\{)");
    w_.member("type", "integer");
    w_.member("minimum", field.rule.min);
    if (field.rule.max != std::numeric_limits<int64_t>::max()) {
      w_.member("maximum", field.rule.max);
    }
    end_either();
  }

  // Objects are written out where they are used: no editor has to follow references.
  void object(const FieldSpec& field) {
    w_.key("type").begin_array().string("object").string("null").end_array();
    w_.member("additionalProperties", false);
    members(*field.object, !field.rule.of_default.empty());
  }

  // Fields of an object that takes its defaults from another one have none to tell.
  void members(const ObjectSpec& spec, bool inherits) {
    w_.key("required").begin_array();
    for (const FieldSpec& field : spec.fields) {
      if (field.rule.required) w_.string(field.name);
    }
    w_.end_array();
    w_.key("properties").begin_object();
    for (const FieldSpec& field : spec.fields) {
      w_.key(field.name).begin_object();
      w_.member("description", field.doc);
      type(field);
      if (!inherits) standard(field);
      w_.end_object();
    }
    w_.end_object();
  }

  json::Writer w_;
};

// Breaks lines after commas and brackets outside strings, two spaces per level: readable diffs.
std::string indent(std::string_view json) {
  std::string out;
  size_t depth = 0;
  bool in_string = false;
  const auto line = [&out, &depth] {
    out += '\n';
    out.append(depth * 2, ' ');
  };
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      out += c;
      if (c == '\\' && i + 1 < json.size()) {
        out += json[++i];
      } else if (c == '"') {
        in_string = false;
      }
      continue;
    }
    switch (c) {
      case '"':
        in_string = true;
        out += c;
        break;
      case '{':
      case '[':
        out += c;
        if (i + 1 < json.size() && (json[i + 1] == '}' || json[i + 1] == ']')) {
          out += json[++i];
          break;
        }
        ++depth;
        line();
        break;
      case '}':
      case ']':
        --depth;
        line();
        out += c;
        break;
      case ',':
        out += c;
        line();
        break;
      case ':':
        out += ": ";
        break;
      default:
        out += c;
    }
  }
  out += '\n';
  return out;
}

}  // namespace

std::string json_schema() {
  std::string out;
  SchemaWriter(out).document();
  return indent(out);
}

}  // namespace weir::app
