// Settings: a configuration field by field, with the line of the file, the variable or the store
// that each value comes from, and the difference between two of them. Secrets are told apart by a
// keyed hash and never shown. Pure; control-plane thread. Limits: kSettingsMax fields are shown.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "admin/settings.h"
#include "app/config/config.h"
#include "base/result.h"

namespace weir::app {

inline constexpr size_t kSettingsMax = 20'000;
inline constexpr size_t kChangesMax = 2'000;

struct SettingsOrigin {
  std::string file;             // "weir.yaml"; empty: there is none
  std::string_view text;        // of that file
  bool data_dir_given = false;  // on the command line
  bool demo = false;
  // Values of variables and of Vault as ${NAME}, for a text that somebody only tries.
  bool references_as_written = false;
  // Tells secrets apart: the same for the same, and nothing about them.
  std::function<std::string(std::string_view secret)> fingerprint;
};

struct SettingEntry {
  admin::Setting shown;
  std::string compared;  // the value, of a secret its fingerprint
};

// Every field in force, in the order of the reference.
std::vector<SettingEntry> settings_of(const Config& config, const SettingsOrigin& origin);

// By path; at most kChangesMax of them.
std::vector<admin::SettingChange> changes_between(const std::vector<SettingEntry>& before,
                                                  const std::vector<SettingEntry>& after);

// The fields that a reload cannot change, with all that is below them.
bool needs_restart(std::string_view path);

}  // namespace weir::app
