#include "app/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "app/config/schema.h"
#include "app/config/yaml.h"
#include "base/json/writer.h"

namespace weir::app {
namespace {

constexpr std::string_view kRestart[] = {
    "server.listen",    "server.workers",    "server.tls", "server.http2",      "server.limits",
    "server.timeouts",  "admin.listen",      "data_dir",   "outgoing.internal", "log.file",
    "ledger.retention", "capture.retention", "state"};

bool is_literal(FieldKind kind) {
  return kind == FieldKind::boolean || kind == FieldKind::integer;
}

void write_value(json::Writer& w, const YamlNode& node, FieldKind kind) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      w.null();
      break;
    case YamlNode::Kind::scalar:
      is_literal(kind) ? w.raw(node.text) : w.string(node.text);
      break;
    case YamlNode::Kind::list:
      w.begin_array();
      for (const YamlNode& item : node.items) write_value(w, item, kind);
      w.end_array();
      break;
    case YamlNode::Kind::map:
      w.begin_object();
      for (const YamlEntry& entry : node.entries) {
        w.key(entry.key);
        write_value(w, entry.value, kind);
      }
      w.end_object();
      break;
  }
}

std::string json_of(const YamlNode& node, FieldKind kind) {
  std::string text;
  json::Writer w(text);
  write_value(w, node, kind);
  return text;
}

// The references in a text of the file: "environment WEIR_KEY", "Vault kv/weir#key".
std::string references_of(const YamlNode& node, bool secret) {
  std::string found;
  const auto add = [&found](std::string_view what, std::string_view name) {
    found += fmt::format("{}{} {}", found.empty() ? "" : ", ", what, name.substr(0, 120));
  };
  const std::string_view text = node.text;
  for (size_t at = 0; (at = text.find("${", at)) != std::string_view::npos; at += 2) {
    if (at > 0 && text[at - 1] == '$') continue;
    const size_t end = text.find('}', at);
    if (end == std::string_view::npos) break;
    const std::string_view inner = text.substr(at + 2, end - at - 2);
    if (inner.starts_with("vault:")) {
      add("Vault", inner.substr(6));
    } else {
      add("environment", inner.substr(0, inner.find(":-")));
    }
  }
  if (secret && text.starts_with("file:")) add("secret file", text.substr(5));
  for (const YamlEntry& entry : node.entries) {
    const std::string inner = references_of(entry.value, secret);
    if (!inner.empty()) found += (found.empty() ? "" : ", ") + inner;
  }
  return found;
}

class Walk {
 public:
  Walk(const SettingsOrigin& origin, std::vector<SettingEntry>& out) : origin_(origin), out_(out) {}

  // `shown` and `clear` are the same tree without and with secrets; `file` is what the file has
  // there, or null; `source` is what stands for everything below that the file has not.
  void object(const ObjectSpec& spec, const YamlNode& shown, const YamlNode& clear,
              const YamlNode* file, const std::string& path, const std::string& source) {
    for (size_t i = 0; i < shown.entries.size(); ++i) {
      const YamlEntry& entry = shown.entries[i];
      const FieldSpec* field = spec.find(entry.key);
      if (field == nullptr) continue;
      const std::string here = path.empty() ? entry.key : path + "." + entry.key;
      const YamlNode* there = file == nullptr ? nullptr : file->find(entry.key);
      value(*field, entry.value, clear.entries[i].value, there, here, source);
    }
  }

 private:
  void value(const FieldSpec& field, const YamlNode& shown, const YamlNode& clear,
             const YamlNode* file, const std::string& path, const std::string& source) {
    if (field.object != nullptr && shown.kind == YamlNode::Kind::map) {
      object(*field.object, shown, clear, file, path, source);
    } else if (field.object != nullptr && shown.kind == YamlNode::Kind::list &&
               !shown.items.empty()) {
      list(field, shown, clear, file, path, source);
    } else {
      leaf(field, shown, clear, file, path, source);
    }
  }

  void list(const FieldSpec& field, const YamlNode& shown, const YamlNode& clear,
            const YamlNode* file, const std::string& path, const std::string& source) {
    // What was made in the console comes behind the file's.
    const size_t in_file = file == nullptr ? 0 : file->items.size();
    for (size_t i = 0; i < shown.items.size(); ++i) {
      const YamlNode* name = shown.items[i].find("name");
      const std::string here = name != nullptr && name->kind == YamlNode::Kind::scalar
                                   ? fmt::format("{}[{}]", path, name->text)
                                   : fmt::format("{}[{}]", path, i);
      const bool own = i < in_file;
      const bool managed = !own && (path == "accounts" || path == "models");
      object(*field.object, shown.items[i], clear.items[i], own ? &file->items[i] : nullptr, here,
             !managed       ? source
             : origin_.demo ? "demo"
                            : "console");
    }
  }

  void leaf(const FieldSpec& field, const YamlNode& shown, const YamlNode& clear,
            const YamlNode* file, const std::string& path, const std::string& source) {
    const bool secret = field.kind == FieldKind::secret || field.kind == FieldKind::header_map;
    SettingEntry entry{.shown = {.path = path,
                                 .value = json_of(shown, field.kind),
                                 .source = source,
                                 .doc = std::string(field.doc),
                                 .secret = secret,
                                 .restart = needs_restart(path)},
                       .compared = {}};
    if (path == "data_dir" && origin_.data_dir_given) {
      entry.shown.source = "command line";
    } else if (file != nullptr && file->kind != YamlNode::Kind::null) {
      const std::string references = references_of(*file, secret);
      if (origin_.references_as_written && !references.empty() && !secret) {
        entry.compared = entry.shown.value;
        entry.shown.value = json_of(*file, FieldKind::text);
      }
      entry.shown.source = fmt::format("{}{}file {}:{}", references, references.empty() ? "" : ", ",
                                       origin_.file, file->line);
    }
    if (secret) entry.compared = origin_.fingerprint(json_of(clear, field.kind));
    if (entry.compared.empty()) entry.compared = entry.shown.value;
    out_.push_back(std::move(entry));
  }

  const SettingsOrigin& origin_;
  std::vector<SettingEntry>& out_;
};

}  // namespace

bool needs_restart(std::string_view path) {
  return std::ranges::any_of(kRestart, [path](std::string_view field) {
    return path.starts_with(field) && (path.size() == field.size() || path[field.size()] == '.');
  });
}

std::vector<SettingEntry> settings_of(const Config& config, const SettingsOrigin& origin) {
  Problems ignored;  // told when it was read
  const YamlNode file = read_yaml(origin.text, ignored);
  std::vector<SettingEntry> out;
  Walk(origin, out)
      .object(config_spec(), write_object(config_spec(), &config, {}),
              write_object(config_spec(), &config, {.secrets = true}), &file, "", "default");
  return out;
}

std::vector<admin::SettingChange> changes_between(const std::vector<SettingEntry>& before,
                                                  const std::vector<SettingEntry>& after) {
  std::unordered_map<std::string_view, const SettingEntry*> old;
  for (const SettingEntry& entry : before) old.emplace(entry.shown.path, &entry);
  std::vector<admin::SettingChange> changes;
  const auto add = [&changes](const SettingEntry& entry, std::string was, std::string is) {
    if (changes.size() >= kChangesMax) return;
    changes.push_back({.path = entry.shown.path,
                       .before = std::move(was),
                       .after = std::move(is),
                       .secret = entry.shown.secret,
                       .restart = entry.shown.restart});
  };
  for (const SettingEntry& entry : after) {
    const auto found = old.find(entry.shown.path);
    if (found == old.end()) {
      add(entry, "", entry.shown.value);
      continue;
    }
    if (found->second->compared != entry.compared) {
      add(entry, found->second->shown.value, entry.shown.value);
    }
    old.erase(found);
  }
  for (const SettingEntry& entry : before) {
    if (old.contains(entry.shown.path)) add(entry, entry.shown.value, "");
  }
  return changes;
}

}  // namespace weir::app
