#include "app/managed.h"

#include <fmt/format.h>
#include <unistd.h>

#include "app/config/schema.h"
#include "app/config/yaml.h"
#include "base/json/writer.h"

namespace weir::app {
namespace {

constexpr std::string_view kKinds[][2] = {{"account", "accounts"}, {"model", "models"}};

const ObjectSpec* spec_of_kind(std::string_view kind) {
  const std::string_view section = section_of_kind(kind);
  return section.empty() ? nullptr : config_spec().find(section)->object;
}

Result<void> check_values(const ObjectSpec& spec, json::Value object, const std::string& path) {
  for (const auto& [name, value] : object.members()) {
    const FieldSpec* field = spec.find(name);
    const std::string here = path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
    if (field == nullptr) continue;  // told when it is read
    if (field->kind == FieldKind::path && !value.string_or("").empty()) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("{}: files of this machine are named in the file alone", here));
    }
    if (value.string_or("").starts_with("file:")) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("{}: files of this machine are named in the file alone", here));
    }
    if (field->object == nullptr) {
      for (const auto& [key, text] : value.members()) {
        if (!text.string_or("").starts_with("file:")) continue;
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("{}.{}: files of this machine are named in the file alone", here, key));
      }
    } else if (value.is_object()) {
      WEIR_CHECK_OK(check_values(*field->object, value, here));
    } else {
      for (const json::Value element : value.elements()) {
        WEIR_CHECK_OK(check_values(*field->object, element, here));
      }
    }
  }
  return {};
}

void write_json(json::Writer& w, const YamlNode& node, FieldKind kind, const ObjectSpec* spec) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      w.null();
      break;
    case YamlNode::Kind::scalar:
      if (kind == FieldKind::boolean || kind == FieldKind::integer) {
        w.raw(node.text);
      } else {
        w.string(node.text);
      }
      break;
    case YamlNode::Kind::list:
      w.begin_array();
      for (const YamlNode& item : node.items) write_json(w, item, kind, spec);
      w.end_array();
      break;
    case YamlNode::Kind::map:
      w.begin_object();
      for (const YamlEntry& entry : node.entries) {
        const FieldSpec* field = spec == nullptr ? nullptr : spec->find(entry.key);
        w.key(entry.key);
        write_json(w, entry.value, field == nullptr ? FieldKind::text : field->kind,
                   field == nullptr ? nullptr : field->object);
      }
      w.end_object();
      break;
  }
}

void write_merged(json::Writer& w, json::Value before, json::Value change) {
  w.begin_object();
  for (const auto& [name, value] : before.members()) {
    const json::Value other = change[name];
    if (!other.exists()) {
      w.key(name).raw(value.raw());
    } else if (value.is_object() && other.is_object()) {
      write_merged(w.key(name), value, other);
    } else if (!other.is_null()) {
      w.key(name).raw(other.raw());
    }
  }
  for (const auto& [name, value] : change.members()) {
    if (!before[name].exists() && !value.is_null()) w.key(name).raw(value.raw());
  }
  w.end_object();
}

template <class T>
std::string shown_of(const std::vector<T>& list, std::string_view name, const ObjectSpec& spec) {
  for (const T& one : list) {
    if (one.name != name) continue;
    std::string text;
    json::Writer w(text);
    write_json(w, write_object(spec, &one, {}), FieldKind::object, &spec);
    return text;
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<vault::KeyRing>> make_ring(const Secrets& secrets,
                                                  const std::string& data_dir) {
  std::vector<std::unique_ptr<vault::Wrapper>> wrappers;
  const auto add = [&wrappers](const Secret& key, std::string_view field) -> Result<void> {
    auto made = vault::local_wrapper(key);
    if (!made) {
      return fail(made.error().code(), fmt::format("{}: {}", field, made.error().message()));
    }
    wrappers.push_back(std::move(*made));
    return {};
  };
  if (secrets.transit) {
    const TransitKey& transit = *secrets.transit;
    wrappers.push_back(vault::transit_wrapper({.url = transit.address,
                                               .token = transit.token,
                                               .name_space = transit.name_space,
                                               .ca_file = transit.ca_file},
                                              transit.mount, transit.key));
  }
  if (!secrets.key.empty()) WEIR_CHECK_OK(add(secrets.key, "secrets.key"));
  if (!secrets.previous_key.empty()) {
    WEIR_CHECK_OK(add(secrets.previous_key, "secrets.previous_key"));
  }
  // What was sealed before there was a key in the configuration.
  const bool has_file = ::access((data_dir + "/secrets.key").c_str(), F_OK) == 0;
  if (wrappers.empty() || has_file) {
    WEIR_TRY(const Secret key, vault::key_of_directory(data_dir));
    WEIR_CHECK_OK(add(key, data_dir + "/secrets.key"));
  }
  return std::make_shared<vault::KeyRing>(std::move(wrappers));
}

std::string_view section_of_kind(std::string_view kind) {
  for (const auto& [one, section] : kKinds) {
    if (one == kind) return section;
  }
  return {};
}

Result<std::vector<ManagedItem>> managed_items(vault::Records& records) {
  WEIR_TRY(const vault::Listing listing, records.list());
  if (!listing.unreadable.empty()) {
    const vault::Unreadable& first = listing.unreadable.front();
    return fail(ErrorCode::permission_denied,
                fmt::format("the {} \"{}\" cannot be opened: {}", first.kind, first.name,
                            first.error.message()));
  }
  std::vector<ManagedItem> items;
  for (const vault::Record& record : listing.records) {
    items.push_back({std::string(section_of_kind(record.kind)), record.name, record.text});
  }
  return items;
}

Result<void> check_managed(std::string_view kind, json::Value object) {
  const ObjectSpec* spec = spec_of_kind(kind);
  if (spec == nullptr || !object.is_object() || object["name"].string_or("").empty()) {
    return fail(ErrorCode::invalid_argument, "expected a JSON object with at least a name");
  }
  return check_values(*spec, object, "");
}

std::string merged(json::Value before, json::Value change) {
  std::string text;
  json::Writer w(text);
  write_merged(w, before, change);
  return text;
}

std::string shown(const Config& config, std::string_view kind, std::string_view name) {
  const ObjectSpec* spec = spec_of_kind(kind);
  if (spec == nullptr) return {};
  return kind == "account" ? shown_of(config.accounts, name, *spec)
                           : shown_of(config.models, name, *spec);
}

}  // namespace weir::app
