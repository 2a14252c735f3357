#include "state/shelf.h"

#include <filesystem>

#include "base/log.h"

namespace weir::state {
namespace {

constexpr size_t kBodyBytesMax = 256ULL << 20;

constexpr store::Migration kMigrations[] = {
    {1,
     "CREATE TABLE pin(id TEXT PRIMARY KEY, account TEXT NOT NULL, expires_ms INTEGER NOT NULL) "
     "WITHOUT ROWID;"
     "CREATE INDEX pin_end ON pin(expires_ms);"
     "CREATE TABLE record(id TEXT NOT NULL, kind INTEGER NOT NULL, key_id TEXT NOT NULL, "
     "team TEXT NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, "
     "size INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY(id));"
     "CREATE INDEX record_end ON record(expires_ms);"
     "CREATE INDEX record_age ON record(created_ms)"},
};

Result<store::Connection> open_file(const std::string& path) {
  for (int attempt = 0;; ++attempt) {
    auto connection = store::Connection::open(path, store::OpenMode::create);
    Result<void> ready = connection ? connection->migrate("state", kMigrations)
                                    : Result<void>(fail(connection.error()));
    if (ready) return connection;
    if (ready.error().code() != ErrorCode::corrupt || attempt > 0) return fail(ready.error());
    connection = fail(ErrorCode::corrupt);  // closes it
    std::error_code error;
    for (const char* suffix : {"", "-wal", "-shm"}) {
      std::filesystem::rename(path + suffix, path + ".corrupt" + suffix, error);
    }
    log::error("state_file_corrupt", {{"file", path}, {"moved_to", path + ".corrupt"}});
  }
}

}  // namespace

Result<Shelf> Shelf::open(const std::string& path) {
  Shelf shelf;
  WEIR_TRY(shelf.connection_, open_file(path));
  store::Connection& c = shelf.connection_;
  WEIR_TRY(shelf.put_pin_, c.prepare("INSERT OR REPLACE INTO pin VALUES(?1, ?2, ?3)"));
  WEIR_TRY(shelf.drop_pin_, c.prepare("DELETE FROM pin WHERE id = ?1"));
  WEIR_TRY(shelf.put_record_,
           c.prepare("INSERT OR REPLACE INTO record VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"));
  WEIR_TRY(shelf.drop_record_, c.prepare("DELETE FROM record WHERE id = ?1"));
  WEIR_TRY(shelf.find_record_, c.prepare("SELECT key_id, team, created_ms, expires_ms, body FROM "
                                         "record WHERE id = ?1 AND kind = ?2"));
  return shelf;
}

Result<void> Shelf::apply(const Change& change) {
  if (const auto* pin = std::get_if<PutPin>(&change)) {
    return put_pin_.bind(1, pin->id).bind(2, pin->account).bind(3, pin->expires_ms).run();
  }
  if (const auto* pin = std::get_if<DropPin>(&change)) return drop_pin_.bind(1, pin->id).run();
  if (const auto* gone = std::get_if<DropRecord>(&change)) {
    return drop_record_.bind(1, gone->id).run();
  }
  const Record& record = std::get<Record>(change);
  WEIR_TRY(const std::string packed, compressor_.compress(record.body));
  return put_record_.bind(1, record.id)
      .bind(2, static_cast<int64_t>(record.kind))
      .bind(3, record.owner.key_id)
      .bind(4, record.owner.team)
      .bind(5, record.created_ms)
      .bind(6, record.expires_ms)
      .bind(7, static_cast<int64_t>(packed.size()))
      .bind_blob(8, packed)
      .run();
}

Result<void> Shelf::write(std::span<const Change> changes) {
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(connection_));
  for (const Change& change : changes) WEIR_CHECK_OK(apply(change));
  return transaction.commit();
}

Result<std::optional<Record>> Shelf::find(std::string_view id, RecordKind kind) {
  struct Reset {
    store::Statement& statement;
    ~Reset() { statement.reset(); }
  };
  const Reset reset{find_record_};
  WEIR_TRY(const bool there, find_record_.bind(1, id).bind(2, static_cast<int64_t>(kind)).step());
  if (!there) return std::nullopt;
  Record record;
  record.id = id;
  record.kind = kind;
  record.owner = {std::string(find_record_.column_text(0)),
                  std::string(find_record_.column_text(1))};
  record.created_ms = find_record_.column_int64(2);
  record.expires_ms = find_record_.column_int64(3);
  WEIR_TRY(record.body, store::decompress(find_record_.column_blob(4), kBodyBytesMax));
  return record;
}

Result<void> Shelf::each_pin(int64_t now_ms, size_t most, const OnPin& on_pin) {
  WEIR_TRY(store::Statement query,
           connection_.prepare("SELECT id, account, expires_ms FROM (SELECT * FROM pin WHERE "
                               "expires_ms > ?1 ORDER BY expires_ms DESC LIMIT ?2) ORDER BY 3"));
  query.bind(1, now_ms).bind(2, static_cast<int64_t>(most));
  while (true) {
    WEIR_TRY(const bool there, query.step());
    if (!there) return {};
    on_pin(query.column_text(0), query.column_text(1), query.column_int64(2));
  }
}

Result<uint64_t> Shelf::record_bytes() {
  WEIR_TRY(const auto bytes, connection_.query_int64("SELECT sum(size) FROM record"));
  return static_cast<uint64_t>(bytes.value_or(0));
}

Result<uint64_t> Shelf::tidy(int64_t now_ms, size_t pins_max, uint64_t bytes_max) {
  for (const char* sql :
       {"DELETE FROM pin WHERE expires_ms <= ?1", "DELETE FROM record WHERE expires_ms <= ?1"}) {
    WEIR_TRY(store::Statement expired, connection_.prepare(sql));
    WEIR_CHECK_OK(expired.bind(1, now_ms).run());
  }
  WEIR_TRY(const auto pins, connection_.query_int64("SELECT count(*) FROM pin"));
  if (const int64_t over = pins.value_or(0) - static_cast<int64_t>(pins_max); over > 0) {
    WEIR_TRY(store::Statement drop,
             connection_.prepare("DELETE FROM pin WHERE id IN (SELECT id FROM pin ORDER BY "
                                 "expires_ms LIMIT ?1)"));
    WEIR_CHECK_OK(drop.bind(1, over).run());
  }
  uint64_t evicted = 0;
  WEIR_TRY(uint64_t bytes, record_bytes());
  // A tenth at a time, the oldest first.
  while (bytes > bytes_max) {
    WEIR_CHECK_OK(connection_.execute(
        "DELETE FROM record WHERE id IN (SELECT id FROM record ORDER BY created_ms LIMIT "
        "max(1, (SELECT count(*) FROM record) / 10))"));
    evicted += static_cast<uint64_t>(connection_.changes());
    WEIR_TRY(bytes, record_bytes());
  }
  return evicted;
}

}  // namespace weir::state
