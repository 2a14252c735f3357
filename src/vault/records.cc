#include "vault/records.h"

#include <fmt/format.h>
#include <unistd.h>

#include "vault/envelope.h"

namespace weir::vault {
namespace {

constexpr store::Migration kMigrations[] = {
    {1,
     "CREATE TABLE record(kind TEXT NOT NULL, name TEXT NOT NULL, sealed BLOB NOT NULL, "
     "wrapped_key BLOB NOT NULL, key_id TEXT NOT NULL, created_ms INTEGER NOT NULL, "
     "changed_ms INTEGER NOT NULL, PRIMARY KEY(kind, name)) WITHOUT ROWID"}};

std::string path_of(const std::string& data_dir) {
  return data_dir + "/vault.db";
}

std::string identity_of(std::string_view kind, std::string_view name) {
  return fmt::format("{}/{}", kind, name);
}

}  // namespace

bool Records::exist(const std::string& data_dir) {
  return ::access(path_of(data_dir).c_str(), F_OK) == 0;
}

Result<Records> Records::open(const std::string& data_dir, std::shared_ptr<KeyRing> ring) {
  WEIR_TRY(store::Connection connection,
           store::Connection::open(path_of(data_dir), store::OpenMode::create));
  // What is replaced must not be found in free pages.
  WEIR_CHECK_OK(connection.execute("PRAGMA secure_delete = ON"));
  WEIR_CHECK_OK(connection.migrate("vault", kMigrations));
  return Records(std::move(connection), std::move(ring));
}

Result<Listing> Records::list() {
  WEIR_TRY(store::Statement rows,
           connection_.prepare("SELECT kind, name, sealed, wrapped_key, key_id, created_ms, "
                               "changed_ms FROM record ORDER BY kind, name"));
  Listing listing;
  while (true) {
    WEIR_TRY(const bool more, rows.step());
    if (!more) return listing;
    Record record{.kind = std::string(rows.column_text(0)),
                  .name = std::string(rows.column_text(1)),
                  .text = {},
                  .key_id = std::string(rows.column_text(4)),
                  .created_ms = rows.column_int64(5),
                  .changed_ms = rows.column_int64(6)};
    auto key = ring_->unwrap({record.key_id, std::string(rows.column_blob(3))});
    auto text = key ? vault::open(*key, identity_of(record.kind, record.name), rows.column_blob(2))
                    : Result<Secret>(fail(key.error()));
    if (text) {
      record.text = std::move(*text);
      listing.records.push_back(std::move(record));
    } else {
      listing.unreadable.push_back({record.kind, record.name, text.error()});
    }
  }
}

Result<void> Records::put(std::string_view kind, std::string_view name, const Secret& text,
                          int64_t wall_ms) {
  if (text.reveal().size() > kTextMax) {
    return fail(ErrorCode::limit_exceeded, "larger than 256 KiB");
  }
  WEIR_TRY(const Secret data_key, random_key());
  WEIR_TRY(const std::string sealed, seal(data_key, identity_of(kind, name), text.reveal()));
  WEIR_TRY(const KeyRing::Wrapped wrapped, ring_->wrap(data_key));
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(connection_));
  WEIR_TRY(const std::optional<int64_t> count,
           connection_.query_int64("SELECT count(*) FROM record"));
  if (count.value_or(0) >= static_cast<int64_t>(kRecordsMax)) {
    return fail(ErrorCode::limit_exceeded, "there are 4096 records already");
  }
  WEIR_TRY(store::Statement insert,
           connection_.prepare("INSERT INTO record VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?6) "
                               "ON CONFLICT(kind, name) DO UPDATE SET sealed = ?3, "
                               "wrapped_key = ?4, key_id = ?5, changed_ms = ?6"));
  insert.bind(1, kind).bind(2, name).bind_blob(3, sealed).bind_blob(4, wrapped.bytes);
  insert.bind(5, std::string_view(wrapped.key_id)).bind(6, wall_ms);
  WEIR_CHECK_OK(insert.run());
  return transaction.commit();
}

Result<void> Records::remove(std::string_view kind, std::string_view name) {
  WEIR_TRY(store::Statement erase,
           connection_.prepare("DELETE FROM record WHERE kind = ?1 AND name = ?2"));
  erase.bind(1, kind).bind(2, name);
  WEIR_CHECK_OK(erase.run());
  if (connection_.changes() > 0) return {};
  return fail(ErrorCode::not_found, fmt::format("there is no {} \"{}\" here", kind, name));
}

Result<Records::Rewrapped> Records::rewrap() {
  struct Old {
    std::string kind, name;
    KeyRing::Wrapped wrapped;
  };
  std::vector<Old> old;
  Rewrapped done;
  {
    WEIR_TRY(store::Statement rows,
             connection_.prepare("SELECT kind, name, wrapped_key, key_id FROM record"));
    while (true) {
      WEIR_TRY(const bool more, rows.step());
      if (!more) break;
      if (rows.column_text(3) == ring_->current()) {
        ++done.current;
        continue;
      }
      old.push_back({std::string(rows.column_text(0)),
                     std::string(rows.column_text(1)),
                     {std::string(rows.column_text(3)), std::string(rows.column_blob(2))}});
    }
  }
  for (const Old& one : old) {
    auto key = ring_->unwrap(one.wrapped);
    if (!key) {
      return fail(key.error().code(),
                  fmt::format("{} \"{}\": {}", one.kind, one.name, key.error().message()));
    }
    WEIR_TRY(const KeyRing::Wrapped fresh, ring_->wrap(*key));
    // Only where nobody has replaced the record meanwhile: that one has a data key of its own.
    WEIR_TRY(store::Statement update,
             connection_.prepare("UPDATE record SET wrapped_key = ?3, key_id = ?4 WHERE kind = ?1 "
                                 "AND name = ?2 AND wrapped_key = ?5"));
    update.bind(1, std::string_view(one.kind)).bind(2, std::string_view(one.name));
    update.bind_blob(3, fresh.bytes).bind(4, std::string_view(fresh.key_id));
    update.bind_blob(5, one.wrapped.bytes);
    WEIR_CHECK_OK(update.run());
    done.changed += static_cast<size_t>(connection_.changes());
  }
  return done;
}

Result<int64_t> Records::foreign_changes() {
  WEIR_TRY(const auto version, connection_.query_int64("PRAGMA data_version"));
  return version.value_or(0);
}

}  // namespace weir::vault
