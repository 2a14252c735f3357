#include "app/config/reference.h"

#include <fmt/format.h>

#include <limits>
#include <set>
#include <vector>

#include "app/config/config.h"
#include "app/config/schema.h"
#include "app/config/values.h"

namespace weir::app {
namespace {

constexpr int64_t kUnbounded = std::numeric_limits<int64_t>::max();

std::string bound(const FieldSpec& field, int64_t value) {
  switch (field.kind) {
    case FieldKind::duration:
      return format_duration(Milliseconds(value));
    case FieldKind::size:
      return format_size(static_cast<uint64_t>(value));
    default:
      return fmt::format("{}", value);
  }
}

std::string range(const FieldSpec& field) {
  const Rule& rule = field.rule;
  const bool ranged = field.kind == FieldKind::integer || field.kind == FieldKind::duration ||
                      field.kind == FieldKind::size;
  if (!ranged) return "";
  if (rule.max == kUnbounded) return fmt::format(", at least {}", bound(field, rule.min));
  return fmt::format(", {} to {}", bound(field, rule.min), bound(field, rule.max));
}

std::string type_name(const FieldSpec& field) {
  switch (field.kind) {
    case FieldKind::text:
      return "text";
    case FieldKind::name:
      return "name";
    case FieldKind::path:
      return "path";
    case FieldKind::url:
      return "URL";
    case FieldKind::secret:
      return "secret";
    case FieldKind::boolean:
      return "true or false";
    case FieldKind::integer:
      return "integer";
    case FieldKind::duration:
      return "duration";
    case FieldKind::size:
      return "size";
    case FieldKind::percent:
      return "share";
    case FieldKind::money:
      return "US dollars";
    case FieldKind::moment:
      return "date or time";
    case FieldKind::listen:
      return "address:port";
    case FieldKind::choice:
      return fmt::format("`{}`", fmt::join(field.choices, "`, `"));
    case FieldKind::names:
      return "list of names";
    case FieldKind::text_map:
      return "map of texts";
    case FieldKind::header_map:
      return "map of headers";
    case FieldKind::object:
      return "object";
    case FieldKind::object_list:
      return "list of objects";
  }
  return "text";
}

// `inherited` is the path whose object gives this object's fields their defaults, if there is one.
std::string default_of(const FieldSpec& field, std::string_view inherited) {
  if (field.rule.required) return "required";
  if (!inherited.empty()) return fmt::format("from `{}.{}`", inherited, field.name);
  if (!field.rule.of_default.empty()) return fmt::format("from `{}`", field.rule.of_default);
  if (!field.default_text.empty()) return fmt::format("`{}`", field.default_text);
  if (!field.rule.unset.empty()) return std::string(field.rule.unset);
  if (field.kind == FieldKind::object_list || field.kind == FieldKind::names) return "`[]`";
  return "";
}

std::string path_of(std::string_view parent, const FieldSpec& field) {
  const std::string_view suffix = field.kind == FieldKind::object_list ? "[]" : "";
  return parent.empty() ? fmt::format("{}{}", field.name, suffix)
                        : fmt::format("{}.{}{}", parent, field.name, suffix);
}

void section(const ObjectSpec& spec, const std::string& path, std::string_view inherited,
             std::string& out) {
  out += path.empty() ? "\n## Top level\n\n" : fmt::format("\n## `{}`\n\n{}\n\n", path, spec.doc);
  out += "| field | type | default | meaning |\n|---|---|---|---|\n";
  for (const FieldSpec& field : spec.fields) {
    out += fmt::format("| `{}` | {}{} | {} | {} |\n", field.name, type_name(field), range(field),
                       default_of(field, inherited), field.doc);
  }
  for (const FieldSpec& field : spec.fields) {
    if (field.object == nullptr) continue;
    section(*field.object, path_of(path, field), field.rule.of_default, out);
  }
}

constexpr std::string_view kIntroduction =
    R"(# Configuration reference

<!-- Printed by `weir config reference` from src/app/config/tables.cc. Do not edit: run
     `weir config reference > docs/reference/configuration.md`. -->

Weir reads one YAML file: `weir serve -c weir.yaml`. `weir check -c weir.yaml` tells every mistake in
it with line and column. Editors that read [weir.schema.json](weir.schema.json) complete and check
while you type; put this on the file's first line:

    # yaml-language-server: $schema=./docs/reference/weir.schema.json

## How values are written

| type | written as |
|---|---|
| text, name | Plain or quoted. A name has at most 128 letters, digits and `. _ - : / @ +` and begins with a letter or digit. |
| secret | A text that is never logged or shown. `file:/run/secrets/openai` reads it from that file, without the line break at its end. |
| duration | A number with its unit: `500ms`, `2s`, `10m`, `1h30m`, `7d`. |
| size | `64KiB`, `100MiB`, `1GiB` (powers of 1,024), `64KB`, `10MB`, `1GB` (powers of 1,000), or bytes. |
| share | `10%`, `0.5%`, or a fraction from `0` to `1`. |
| US dollars | An exact decimal: `0.15`. Up to nine decimals; never a floating-point number. |
| date or time | `2026-05-01` (midnight UTC) or RFC 3339: `2026-05-01T12:00:00Z`. |
| address:port | `127.0.0.1:8080`, `[::1]:8080`; `:8080` means every interface. |
| path | From the working directory of `weir`, or absolute. |
| true or false | Exactly these words. |

`${NAME}` in any value is replaced by that environment variable, and it is an error when it is not
set; `${NAME:-text}` takes the text when it is unset or empty; `$${` stands for the characters `${`.
Inside `{ }` and `[ ]` quote it: `{ token: "${WEIR_ADMIN_TOKEN}" }`.

A field that is absent or empty has its default. Unknown fields and fields given twice are errors.
Anchors, aliases and merge keys (`<<: *name`) work; fields at the top whose name begins with `x-` are
ignored and can hold anchors. A file may have 4 MiB, 32 levels and 200,000 values, aliases expanded.
)";

}  // namespace

std::string sections_markdown(const ObjectSpec& spec) {
  std::string out;
  section(spec, "", "", out);
  return out;
}

std::string reference_markdown() {
  std::string out(kIntroduction);
  section(config_spec(), "", "", out);
  return out;
}

std::string explain_field(std::string_view path) {
  const ObjectSpec* spec = &config_spec();
  const FieldSpec* field = nullptr;
  std::string walked;
  std::string_view inherited;
  while (!path.empty()) {
    const size_t dot = path.find('.');
    std::string_view name = path.substr(0, dot);
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
    name = name.substr(0, name.find('['));
    if (spec == nullptr) return "";
    inherited = field == nullptr ? std::string_view() : field->rule.of_default;
    field = spec->find(name);
    if (field == nullptr) return "";
    walked = path_of(walked, *field);
    spec = field->object;
  }
  if (field == nullptr) return "";
  std::string out =
      fmt::format("{}\n  {}\n  type: {}{}\n", walked, field->doc, type_name(*field), range(*field));
  const std::string standard = default_of(*field, inherited);
  if (!standard.empty()) out += fmt::format("  default: {}\n", standard);
  if (field->object != nullptr) {
    out += "  fields:\n";
    for (const FieldSpec& inner : field->object->fields) {
      out += fmt::format("    {:<18} {}\n", inner.name, inner.doc);
    }
  }
  return out;
}

}  // namespace weir::app
