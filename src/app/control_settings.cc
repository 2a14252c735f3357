// The control plane's half that tells what is in force and where it comes from, tries another text
// without taking it, and goes back to an earlier generation.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "app/control_plane.h"
#include "app/settings.h"
#include "base/encoding.h"
#include "base/log.h"

namespace weir::app {
namespace {

// What a text that is only tried may look at: variables, but their values never come back out; of
// files and of Vault what the configuration in force names already.
class Trial {
 public:
  explicit Trial(std::string_view in_force) : in_force_(in_force) {}

  Surroundings surroundings() {
    const Surroundings process = Surroundings::process();
    Surroundings guarded = process;
    guarded.variable = [this, process](const std::string& name) {
      auto value = process.variable(name);
      if (value) note(*value, "${" + name + "}");
      return value;
    };
    guarded.read_file = [this, process](const std::string& path) -> Result<std::string> {
      if (in_force_.find(path) != std::string_view::npos) return process.read_file(path);
      return fail(ErrorCode::permission_denied,
                  fmt::format("{} is not read by a dry run: the configuration in force does not "
                              "name it",
                              path));
    };
    guarded.vault = [this, process](const std::string& path,
                                    const std::string& field) -> Result<Secret> {
      const std::string reference = fmt::format("vault:{}#{}", path, field);
      if (in_force_.find(reference) == std::string_view::npos) {
        return fail(ErrorCode::permission_denied,
                    fmt::format("{} is not read by a dry run: the configuration in force does not "
                                "name it",
                                reference));
      }
      auto value = process.vault(path, field);
      if (value) note(std::string(value->reveal()), "${" + reference + "}");
      return value;
    };
    return guarded;
  }

  // Messages may repeat a value, cut or whole.
  std::string redacted(std::string text) const {
    for (const auto& [value, name] : values_) {
      const std::string_view head = std::string_view(value).substr(0, kHeadBytes);
      for (size_t at = 0; (at = text.find(head, at)) != std::string::npos; at += name.size()) {
        size_t end = at;
        while (end < text.size() && end - at < value.size() && text[end] == value[end - at]) ++end;
        text.replace(at, end - at, name);
      }
    }
    return text;
  }

 private:
  static constexpr size_t kHeadBytes = 16;
  static constexpr size_t kShortest = 4;  // shorter ones are no secret and in every word

  void note(const std::string& value, std::string name) {
    if (value.size() >= kShortest) values_.insert_or_assign(value, std::move(name));
  }

  std::string_view in_force_;
  std::map<std::string, std::string> values_;
};

bool same(const std::vector<ManagedItem>& items, const vault::Record& record) {
  return std::ranges::any_of(items, [&record](const ManagedItem& item) {
    return item.section == section_of_kind(record.kind) && item.name == record.name;
  });
}

}  // namespace

std::string ControlPlane::fingerprint(std::string_view text) const {
  const access::KeyHash hash = hasher_->hash(text);
  return hex_encode({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

SettingsOrigin ControlPlane::origin_of(std::string_view text) const {
  return {.file = options_.config_path,
          .text = text,
          .data_dir_given = !options_.data_dir.empty(),
          .demo = is_demo(),
          .fingerprint = [this](std::string_view secret) { return fingerprint(secret); }};
}

Result<admin::Settings> ControlPlane::settings() {
  admin::Settings told{.file = options_.config_path, .items = {}};
  for (SettingEntry& entry : settings_of(config_, origin_of(text_.file.reveal()))) {
    if (told.items.size() == kSettingsMax) {
      told.truncated = true;
      break;
    }
    told.items.push_back(std::move(entry.shown));
  }
  return told;
}

Result<admin::SettingsCheck> ControlPlane::check_settings(std::string_view text) {
  Trial trial(text_.file.reveal());
  Surroundings surroundings = trial.surroundings();
  surroundings.managed = [this](const Config&) -> Result<std::vector<ManagedItem>> {
    return text_.managed;
  };
  Loaded loaded = load_text(text, surroundings);
  admin::SettingsCheck check{.ok = loaded.config.has_value()};
  for (const Problem& problem : loaded.problems) {
    check.problems.push_back({.severity = std::string(to_string(problem.severity)),
                              .code = std::string(to_string(problem.code)),
                              .line = problem.line,
                              .column = problem.column,
                              .path = problem.path,
                              .message = trial.redacted(problem.message)});
  }
  if (!check.ok) return check;
  if (is_demo()) add_demo(*loaded.config);
  if (!options_.data_dir.empty()) loaded.config->data_dir = options_.data_dir;
  WEIR_TRY(const std::vector<access::StoredKey> stored, keys_->list(/*with_revoked=*/true));
  if (auto refused = check_reload(config_, *loaded.config, !stored.empty()); !refused) {
    check.ok = false;
    check.problems.push_back({.severity = "error",
                              .code = "conflict",
                              .path = {},
                              .message = trial.redacted(std::string(refused.error().message()))});
  }
  SettingsOrigin origin = origin_of(text);
  origin.references_as_written = true;
  check.changes = changes_between(settings_of(config_, origin_of(text_.file.reveal())),
                                  settings_of(*loaded.config, origin));
  check.truncated = check.changes.size() >= kChangesMax;
  return check;
}

Result<std::vector<admin::Generation>> ControlPlane::generations() {
  return generations_->list();
}

Result<std::vector<admin::SettingChange>> ControlPlane::generation_changes(int64_t id,
                                                                           bool to_running) {
  WEIR_TRY(const std::vector<SettingEntry> of, generations_->settings(id));
  if (to_running) {
    return changes_between(settings_of(config_, origin_of(text_.file.reveal())), of);
  }
  WEIR_TRY(const std::optional<int64_t> before, generations_->before(id));
  if (!before) return std::vector<admin::SettingChange>();
  WEIR_TRY(const std::vector<SettingEntry> earlier, generations_->settings(*before));
  return changes_between(earlier, of);
}

std::optional<admin::Rollback> ControlPlane::rolled_back() const {
  if (!override_) return std::nullopt;
  return admin::Rollback{.generation = override_->generation, .since_ms = override_->since_ms};
}

Result<void> ControlPlane::open_generations() {
  WEIR_TRY(generations_, Generations::open(config_.data_dir));
  WEIR_TRY(override_, generations_->overriding());
  if (!override_) return {};
  const auto taken = [this]() -> Result<Config> {
    WEIR_TRY(const auto ring, ring_in_force());
    WEIR_TRY(const GenerationText text, generations_->text(override_->generation, *ring));
    override_text_ = text.file;
    return load_config({});
  }();
  if (!taken) {
    log::error("rollback_not_taken_up", {{"generation", override_->generation},
                                         {"problem", taken.error().message()},
                                         {"running", "the file"}});
    override_.reset();
    return generations_->clear_override();
  }
  const std::string data_dir = config_.data_dir;
  config_ = *taken;
  config_.data_dir = data_dir;
  forget_override_unless_used();
  return {};
}

Result<std::shared_ptr<vault::KeyRing>> ControlPlane::ring_in_force() {
  if (records_) return records_->ring();
  return make_ring(config_.secrets, config_.data_dir);
}

// Configurations are kept beside what they serve: one that cannot be kept is told, and serves.
void ControlPlane::remember_generation(const Origin& origin) {
  std::string all(read_.text.file.reveal());
  for (const ManagedItem& item : read_.text.managed) {
    all += fmt::format("\n{}\n{}\n", item.section, item.name);
    all += item.text.reveal();
  }
  const Generations::Entry entry{
      .time_ms = clock_.wall_ms(), .by = origin.by, .why = origin.why, .mark = fingerprint(all)};
  const auto ring = ring_in_force();
  if (!ring) log::warn("generation_without_text", {{"problem", ring.error().message()}});
  const auto settings = settings_of(config_, origin_of(text_.file.reveal()));
  auto kept = generations_->add(entry, settings, text_, ring ? ring->get() : nullptr);
  // A key server that does not answer now leaves a record of the change at least.
  if (!kept && ring) kept = generations_->add(entry, settings, text_, nullptr);
  if (!kept) log::warn("generation_not_kept", {{"problem", kept.error().message()}});
}

void ControlPlane::forget_override_unless_used() {
  if (!override_ || read_.overridden) return;
  log::info("rollback_ended", {{"generation", override_->generation}, {"running", "the file"}});
  override_.reset();
  override_text_ = Secret();
  if (auto done = generations_->clear_override(); !done) {
    log::warn("rollback_end_not_kept", {{"problem", done.error().message()}});
  }
}

// Brings what is managed to these objects. What was changed when it fails stays so: its caller
// calls it again with those of before.
Result<void> ControlPlane::put_managed(const std::vector<ManagedItem>& items) {
  if (!records_) {
    if (items.empty()) return {};
    WEIR_CHECK_OK(open_records(config_));
  }
  WEIR_TRY(const vault::Listing now, records_->list());
  for (const vault::Record& record : now.records) {
    if (!same(items, record)) WEIR_CHECK_OK(records_->remove(record.kind, record.name));
  }
  for (const ManagedItem& item : items) {
    const std::string kind = item.section == "accounts" ? "account" : "model";
    const bool unchanged = std::ranges::any_of(now.records, [&](const vault::Record& record) {
      return record.kind == kind && record.name == item.name &&
             record.text.reveal() == item.text.reveal();
    });
    if (!unchanged) WEIR_CHECK_OK(records_->put(kind, item.name, item.text, clock_.wall_ms()));
  }
  return {};
}

Result<uint64_t> ControlPlane::rollback(int64_t id, const std::string& by) {
  WEIR_TRY(const auto ring, ring_in_force());
  WEIR_TRY(const GenerationText text, generations_->text(id, *ring));
  WEIR_TRY(Config next, load_config({.instead = &text}));
  const std::vector<ManagedItem> before = text_.managed;
  const auto restore = [this, &before] {
    if (auto undone = put_managed(before); !undone) {
      log::error("managed_not_undone", {{"problem", undone.error().message()}});
    }
  };
  if (auto put = put_managed(text.managed); !put) {
    restore();
    return fail(std::move(put).error());
  }
  auto generation = apply(std::move(next), {by, fmt::format("rollback to {}", id)});
  if (!generation) {
    restore();
    return generation;
  }
  WEIR_CHECK_OK(note_override(id, text.file));
  log::warn("rolled_back",
            {{"generation", id}, {"by", by}, {"file_passed_over", override_.has_value()}});
  return generation;
}

// The file still says something else: that text is passed over until it is another.
Result<void> ControlPlane::note_override(int64_t id, const Secret& text) {
  override_.reset();
  override_text_ = Secret();
  if (is_demo()) return {};
  const auto file = Surroundings::process().read_file(options_.config_path);
  if (file && *file == text.reveal()) return generations_->clear_override();
  override_ = Override{.generation = id,
                       .since_ms = clock_.wall_ms(),
                       .file_mark = fingerprint(file.value_or(std::string()))};
  override_text_ = text;
  return generations_->set_override(*override_);
}

}  // namespace weir::app
