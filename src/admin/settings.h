// The configuration as the admin API tells it: field by field with where each value comes from,
// what another text would change, and the generations that were in force. No value here is a
// secret. Values; control-plane thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::admin {

struct Setting {
  std::string path;    // "server.listen", "accounts[openai-eu].limits.rpm"
  std::string value;   // JSON; of a secret "<secret>"
  std::string source;  // "file weir.yaml:12", "environment WEIR_KEY, ...", "default", "console"
  std::string doc;
  bool secret = false;
  bool restart = false;  // a change of it takes effect when Weir is restarted
};

struct Settings {
  std::string file;  // empty: there is none
  std::vector<Setting> items;
  bool truncated = false;
};

struct SettingChange {
  std::string path;
  std::string before;  // JSON; empty: was not there
  std::string after;   // JSON; empty: is not there
  bool secret = false;
  bool restart = false;
};

struct SettingsProblem {
  std::string severity;  // "error", "warning"
  std::string code;
  int line = 0;  // 0: the text as a whole
  int column = 0;
  std::string path;
  std::string message;
};

struct SettingsCheck {
  bool ok = false;  // it could be swapped in
  std::vector<SettingsProblem> problems;
  std::vector<SettingChange> changes;  // against what runs
  bool truncated = false;
};

struct Generation {
  int64_t id = 0;
  int64_t time_ms = 0;
  std::string by;   // who asked for it; empty: nobody did, the file changed
  std::string why;  // "start", "the file changed", "account openai-eu was made"
  int64_t changes = 0;
  bool kept = false;     // with its text, so that it can be gone back to
  bool running = false;  // the newest
};

struct Rollback {
  int64_t generation = 0;
  int64_t since_ms = 0;
};

}  // namespace weir::admin
