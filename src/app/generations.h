// Generations: every configuration that was in force, on disk in data_dir/generations.db: when, by
// whom and why, its fields without secrets (for the difference to another), and, sealed under the
// key-encryption key like what the console makes (vault/), the text of the file and the managed
// objects of then, so that it can be gone back to. Also which one was gone back to, and of which
// text of the file: that one is passed over until the file has another text.
//
// Control-plane thread. Limits: kKeptMax generations; a text of more than kTextMax when compressed
// is not kept, which its generation tells.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admin/settings.h"
#include "app/config/surroundings.h"
#include "app/settings.h"
#include "base/result.h"
#include "base/secret.h"
#include "store/sqlite.h"
#include "vault/key_ring.h"

namespace weir::app {

// What a generation is made of.
struct GenerationText {
  Secret file;  // weir.yaml, word for word
  std::vector<ManagedItem> managed;
};

// The generation that was gone back to, while the file has the text that it had then.
struct Override {
  int64_t generation = 0;
  int64_t since_ms = 0;
  std::string file_mark;  // of the text that is passed over
};

class Generations {
 public:
  static constexpr size_t kKeptMax = 100;
  static constexpr size_t kTextMax = size_t{1} << 20;

  static bool exist(const std::string& data_dir);
  // Errors: io_error, corrupt.
  static Result<Generations> open(const std::string& data_dir);

  struct Entry {
    int64_t time_ms = 0;
    std::string by;
    std::string why;
    std::string mark;  // of the text and the managed objects: tells whether there is anything new
  };
  // Adds it, unless the newest has the same mark. `ring` null: its text is not kept.
  Result<void> add(const Entry& entry, const std::vector<SettingEntry>& settings,
                   const GenerationText& text, vault::KeyRing* ring);
  Result<std::vector<admin::Generation>> list();  // newest first
  // Errors of all: not_found.
  Result<std::vector<SettingEntry>> settings(int64_t id);
  // Nothing before the first that is kept.
  Result<std::optional<int64_t>> before(int64_t id);
  // Errors: invalid_argument where its text was not kept; those of the ring.
  Result<GenerationText> text(int64_t id, vault::KeyRing& ring);
  // Wraps all data keys under the ring's current key; how many were not.
  Result<size_t> rewrap(vault::KeyRing& ring);

  Result<std::optional<Override>> overriding();
  Result<void> set_override(const Override& made);
  Result<void> clear_override();

 private:
  explicit Generations(store::Connection connection) : connection_(std::move(connection)) {}
  store::Connection connection_;
};

}  // namespace weir::app
