#include "app/generations.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "base/json/document.h"
#include "base/json/writer.h"
#include "store/zstd.h"
#include "vault/envelope.h"

namespace weir::app {
namespace {

constexpr size_t kSettingsTextMax = size_t{64} << 20;
constexpr size_t kFileTextMax = size_t{32} << 20;

constexpr store::Migration kMigrations[] = {
    {1,
     "CREATE TABLE generation(id INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER NOT NULL, "
     "by TEXT NOT NULL, why TEXT NOT NULL, mark TEXT NOT NULL, changes INTEGER NOT NULL, "
     "settings BLOB NOT NULL, sealed BLOB NOT NULL, wrapped_key BLOB NOT NULL, "
     "key_id TEXT NOT NULL);"
     "CREATE TABLE override(one INTEGER PRIMARY KEY CHECK(one=1), generation INTEGER NOT NULL, "
     "since_ms INTEGER NOT NULL, file_mark TEXT NOT NULL)"}};

constexpr std::string_view kIdentity = "generation";

std::string settings_text(const std::vector<SettingEntry>& settings) {
  std::string text;
  json::Writer w(text);
  w.begin_array();
  for (const SettingEntry& entry : settings) {
    w.begin_array()
        .string(entry.shown.path)
        .string(entry.shown.value)
        .string(entry.compared == entry.shown.value ? "" : entry.compared)
        .boolean(entry.shown.secret)
        .end_array();
  }
  w.end_array();
  return text;
}

Result<std::vector<SettingEntry>> parse_settings(std::string_view packed) {
  WEIR_TRY(const std::string text, store::decompress(packed, kSettingsTextMax));
  json::Document document;
  WEIR_CHECK_OK(document.parse(text));
  std::vector<SettingEntry> settings;
  for (const json::Value row : document.root().elements()) {
    std::vector<json::Value> cells;
    for (const json::Value cell : row.elements()) cells.push_back(cell);
    if (cells.size() != 4) return fail(ErrorCode::corrupt, "a generation's fields are damaged");
    SettingEntry entry;
    entry.shown.path = cells[0].string_or("");
    entry.shown.value = cells[1].string_or("");
    entry.compared = cells[2].string_or("");
    entry.shown.secret = cells[3].as_bool().value_or(false);
    entry.shown.restart = needs_restart(entry.shown.path);
    if (entry.compared.empty()) entry.compared = entry.shown.value;
    settings.push_back(std::move(entry));
  }
  return settings;
}

std::string payload_of(const GenerationText& text) {
  std::string out;
  json::Writer w(out);
  w.begin_object().member("file", text.file.reveal()).key("managed").begin_array();
  for (const ManagedItem& item : text.managed) {
    w.begin_object()
        .member("section", item.section)
        .member("name", item.name)
        .member("text", item.text.reveal())
        .end_object();
  }
  w.end_array().end_object();
  return out;
}

}  // namespace

bool Generations::exist(const std::string& data_dir) {
  return ::access((data_dir + "/generations.db").c_str(), F_OK) == 0;
}

Result<Generations> Generations::open(const std::string& data_dir) {
  WEIR_TRY(store::Connection connection,
           store::Connection::open(data_dir + "/generations.db", store::OpenMode::create));
  WEIR_CHECK_OK(connection.migrate("generations", kMigrations));
  return Generations(std::move(connection));
}

Result<void> Generations::add(const Entry& entry, const std::vector<SettingEntry>& settings,
                              const GenerationText& text, vault::KeyRing* ring) {
  std::vector<SettingEntry> last;
  int64_t last_id = 0;
  {
    WEIR_TRY(
        store::Statement newest,
        connection_.prepare("SELECT mark, settings, id FROM generation ORDER BY id DESC LIMIT 1"));
    WEIR_TRY(const bool there, newest.step());
    if (there && newest.column_text(0) == entry.mark) return {};
    if (there) {
      last_id = newest.column_int64(2);
      // One that cannot be read any more has nothing to be compared with.
      if (auto read = parse_settings(newest.column_blob(1))) last = std::move(*read);
    }
  }
  store::Compressor compressor;
  WEIR_TRY(const std::string packed, compressor.compress(settings_text(settings)));
  WEIR_TRY(const std::string payload, compressor.compress(payload_of(text)));
  std::string sealed;
  vault::KeyRing::Wrapped wrapped;
  if (ring != nullptr && payload.size() <= kTextMax) {
    WEIR_TRY(const Secret data_key, vault::random_key());
    WEIR_TRY(sealed, vault::seal(data_key, kIdentity, payload));
    WEIR_TRY(wrapped, ring->wrap(data_key));
  }
  const int64_t changes =
      last_id == 0 ? 0 : static_cast<int64_t>(changes_between(last, settings).size());
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(connection_));
  WEIR_TRY(store::Statement insert,
           connection_.prepare("INSERT INTO generation(time_ms, by, why, mark, changes, settings, "
                               "sealed, wrapped_key, key_id) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, "
                               "?8, ?9)"));
  insert.bind(1, entry.time_ms)
      .bind(2, entry.by)
      .bind(3, entry.why)
      .bind(4, entry.mark)
      .bind(5, changes)
      .bind_blob(6, packed)
      .bind_blob(7, sealed)
      .bind_blob(8, wrapped.bytes)
      .bind(9, std::string_view(wrapped.key_id));
  WEIR_CHECK_OK(insert.run());
  WEIR_CHECK_OK(connection_.execute(
      fmt::format("DELETE FROM generation WHERE id NOT IN (SELECT id FROM generation ORDER BY id "
                  "DESC LIMIT {})",
                  kKeptMax)
          .c_str()));
  return transaction.commit();
}

Result<std::vector<admin::Generation>> Generations::list() {
  WEIR_TRY(store::Statement rows,
           connection_.prepare("SELECT id, time_ms, by, why, changes, length(sealed) FROM "
                               "generation ORDER BY id DESC"));
  std::vector<admin::Generation> list;
  for (;;) {
    WEIR_TRY(const bool more, rows.step());
    if (!more) return list;
    list.push_back({.id = rows.column_int64(0),
                    .time_ms = rows.column_int64(1),
                    .by = std::string(rows.column_text(2)),
                    .why = std::string(rows.column_text(3)),
                    .changes = rows.column_int64(4),
                    .kept = rows.column_int64(5) > 0,
                    .running = list.empty()});
  }
}

Result<std::vector<SettingEntry>> Generations::settings(int64_t id) {
  WEIR_TRY(store::Statement row,
           connection_.prepare("SELECT settings FROM generation WHERE id=?1"));
  row.bind(1, id);
  WEIR_TRY(const bool there, row.step());
  if (!there) return fail(ErrorCode::not_found, fmt::format("there is no generation {}", id));
  return parse_settings(row.column_blob(0));
}

Result<std::optional<int64_t>> Generations::before(int64_t id) {
  return connection_.query_int64(
      fmt::format("SELECT id FROM generation WHERE id<{} ORDER BY id DESC LIMIT 1", id));
}

Result<GenerationText> Generations::text(int64_t id, vault::KeyRing& ring) {
  WEIR_TRY(store::Statement row,
           connection_.prepare("SELECT sealed, wrapped_key, key_id FROM generation WHERE id=?1"));
  row.bind(1, id);
  WEIR_TRY(const bool there, row.step());
  if (!there) return fail(ErrorCode::not_found, fmt::format("there is no generation {}", id));
  if (row.column_blob(0).empty()) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("the text of generation {} was not kept", id));
  }
  WEIR_TRY(const Secret key, ring.unwrap({.key_id = std::string(row.column_text(2)),
                                          .bytes = std::string(row.column_blob(1))}));
  WEIR_TRY(const Secret packed, vault::open(key, kIdentity, row.column_blob(0)));
  WEIR_TRY(const std::string payload, store::decompress(packed.reveal(), kFileTextMax));
  json::Document document;
  WEIR_CHECK_OK(document.parse(payload));
  GenerationText text{.file = Secret(document.root()["file"].string_or("")), .managed = {}};
  for (const json::Value item : document.root()["managed"].elements()) {
    text.managed.push_back({item["section"].string_or(""), item["name"].string_or(""),
                            Secret(item["text"].string_or(""))});
  }
  return text;
}

Result<size_t> Generations::rewrap(vault::KeyRing& ring) {
  struct Old {
    int64_t id;
    vault::KeyRing::Wrapped wrapped;
  };
  std::vector<Old> old;
  {
    WEIR_TRY(store::Statement rows,
             connection_.prepare("SELECT id, key_id, wrapped_key FROM generation WHERE "
                                 "length(sealed)>0 AND key_id<>?1"));
    rows.bind(1, std::string_view(ring.current()));
    for (;;) {
      WEIR_TRY(const bool more, rows.step());
      if (!more) break;
      old.push_back({rows.column_int64(0),
                     {std::string(rows.column_text(1)), std::string(rows.column_blob(2))}});
    }
  }
  for (const Old& one : old) {
    WEIR_TRY(const Secret key, ring.unwrap(one.wrapped));
    WEIR_TRY(const vault::KeyRing::Wrapped fresh, ring.wrap(key));
    WEIR_TRY(store::Statement update,
             connection_.prepare("UPDATE generation SET wrapped_key=?2, key_id=?3 WHERE id=?1"));
    update.bind(1, one.id).bind_blob(2, fresh.bytes).bind(3, std::string_view(fresh.key_id));
    WEIR_CHECK_OK(update.run());
  }
  return old.size();
}

Result<std::optional<Override>> Generations::overriding() {
  WEIR_TRY(store::Statement row,
           connection_.prepare("SELECT generation, since_ms, file_mark FROM override"));
  WEIR_TRY(const bool there, row.step());
  if (!there) return std::optional<Override>();
  return std::optional(Override{.generation = row.column_int64(0),
                                .since_ms = row.column_int64(1),
                                .file_mark = std::string(row.column_text(2))});
}

Result<void> Generations::set_override(const Override& made) {
  WEIR_TRY(store::Statement insert,
           connection_.prepare("INSERT OR REPLACE INTO override VALUES(1, ?1, ?2, ?3)"));
  insert.bind(1, made.generation).bind(2, made.since_ms).bind(3, made.file_mark);
  return insert.run();
}

Result<void> Generations::clear_override() {
  return connection_.execute("DELETE FROM override");
}

}  // namespace weir::app
