#include "identity/audit_log.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <cstring>

#include "base/encoding.h"
#include "base/text.h"
#include "base/utf8.h"

namespace weir::identity {
namespace {

constexpr store::Migration kMigrations[] = {
    {1,
     "CREATE TABLE record("
     "number INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, actor TEXT NOT NULL, "
     "actor_kind TEXT NOT NULL, address TEXT NOT NULL, action TEXT NOT NULL, "
     "object TEXT NOT NULL, status INTEGER NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL, "
     "hash BLOB NOT NULL);"
     "CREATE TABLE checkpoint(number INTEGER PRIMARY KEY, signature BLOB NOT NULL);"
     "CREATE TABLE head(one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL, "
     "hash BLOB NOT NULL, signature BLOB NOT NULL)"}};

constexpr std::string_view kColumns =
    "number, time_ms, actor, actor_kind, address, action, object, status, before, after, hash";
constexpr int kHashColumn = 10;
// A checkpoint must not pass for the head of a log that ends there.
constexpr std::string_view kHeadDomain = "weir-audit-head-1\n";
constexpr std::string_view kCheckpointDomain = "weir-audit-checkpoint-1\n";
constexpr std::string_view kRecordDomain = "weir-audit-record-1\n";

std::string_view view(const AuditHash& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

void append_number(std::string& out, int64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    out += static_cast<char>((static_cast<uint64_t>(value) >> shift) & 0xFF);
  }
}

// Every text with its length in front: no two records have the same bytes.
void append_text(std::string& out, std::string_view text) {
  append_number(out, static_cast<int64_t>(text.size()));
  out += text;
}

AuditHash hash_of(const AuditHash& previous, const AuditRecord& record) {
  std::string bytes(kRecordDomain);
  bytes += view(previous);
  append_number(bytes, record.number);
  append_number(bytes, record.time_ms);
  append_number(bytes, record.status);
  for (const std::string* text : {&record.actor, &record.actor_kind, &record.address,
                                  &record.action, &record.object, &record.before, &record.after}) {
    append_text(bytes, *text);
  }
  AuditHash hash{};
  EVP_Digest(bytes.data(), bytes.size(), hash.data(), nullptr, EVP_sha256(), nullptr);
  return hash;
}

std::string signed_bytes(std::string_view domain, int64_t number, const AuditHash& hash) {
  std::string bytes(domain);
  append_number(bytes, number);
  bytes += view(hash);
  return bytes;
}

AuditRecord read_record(const store::Statement& row) {
  AuditRecord record;
  record.number = row.column_int64(0);
  record.time_ms = row.column_int64(1);
  record.actor = row.column_text(2);
  record.actor_kind = row.column_text(3);
  record.address = row.column_text(4);
  record.action = row.column_text(5);
  record.object = row.column_text(6);
  record.status = row.column_int64(7);
  record.before = row.column_text(8);
  record.after = row.column_text(9);
  return record;
}

bool read_hash(std::string_view blob, AuditHash& hash) {
  if (blob.size() != hash.size()) return false;
  std::memcpy(hash.data(), blob.data(), hash.size());
  return true;
}

void cut(std::string& text) {
  if (text.size() <= AuditLog::kTextBytesMax) return;
  text = std::string(utf8_truncate(text, AuditLog::kTextBytesMax)) + "… (cut)";
}

Result<AuditHead> read_head(store::Connection& connection) {
  WEIR_TRY(store::Statement query, connection.prepare("SELECT number, hash, signature FROM head"));
  AuditHead head;
  WEIR_TRY(const bool found, query.step());
  if (!found) return head;
  head.number = query.column_int64(0);
  if (!read_hash(query.column_blob(1), head.hash)) {
    return fail(ErrorCode::corrupt, "audit.db: the head has no hash");
  }
  head.signature = query.column_blob(2);
  return head;
}

}  // namespace

std::string to_text(const AuditAnchor& anchor) {
  return fmt::format("{}:{}", anchor.number, hex_encode(view(anchor.hash)));
}

Result<AuditAnchor> parse_anchor(std::string_view text) {
  AuditAnchor anchor;
  const size_t colon = text.find(':');
  const auto number = parse_int64(text.substr(0, colon));
  const auto hash =
      colon == std::string_view::npos ? std::nullopt : hex_decode(text.substr(colon + 1));
  if (!number || *number < 1 || !hash || !read_hash(*hash, anchor.hash)) {
    return fail(ErrorCode::invalid_argument,
                "an anchor is NUMBER:HASH, as `weir audit verify` "
                "printed it");
  }
  anchor.number = *number;
  return anchor;
}

Result<AuditLog> AuditLog::open(const std::string& data_dir) {
  WEIR_TRY(AuditKey key, AuditKey::open(data_dir));
  WEIR_TRY(store::Connection connection,
           store::Connection::open(data_dir + "/audit.db", store::OpenMode::create));
  WEIR_CHECK_OK(connection.migrate("audit", kMigrations));
  return AuditLog(std::move(connection), std::move(key));
}

Result<AuditHead> AuditLog::head() {
  return read_head(connection_);
}

Result<void> AuditLog::ready() {
  const auto tried = [this]() -> Result<void> {
    WEIR_TRY(store::Transaction transaction, store::Transaction::begin(connection_));
    WEIR_CHECK_OK(connection_.execute(
        "INSERT INTO record VALUES(-1, 0, '', '', '', '', '', 0, '', '', zeroblob(16384));"
        "DELETE FROM record WHERE number=-1"));
    return transaction.commit();
  }();
  if (!tried) ++failed_;
  return tried;
}

Result<int64_t> AuditLog::append(AuditRecord record) {
  auto number = write(std::move(record));
  ++(number ? appended_ : failed_);
  return number;
}

Result<int64_t> AuditLog::write(AuditRecord record) {
  for (std::string* text : {&record.actor, &record.actor_kind, &record.address, &record.action,
                            &record.object, &record.before, &record.after}) {
    cut(*text);
  }
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(connection_));
  WEIR_TRY(AuditHead head, read_head(connection_));
  record.number = head.number + 1;
  head.hash = hash_of(head.hash, record);
  WEIR_TRY(store::Statement insert,
           connection_.prepare(fmt::format("INSERT INTO record({}) VALUES(?1, ?2, ?3, ?4, ?5, ?6, "
                                           "?7, ?8, ?9, ?10, ?11)",
                                           kColumns)));
  insert.bind(1, record.number)
      .bind(2, record.time_ms)
      .bind(3, record.actor)
      .bind(4, record.actor_kind)
      .bind(5, record.address)
      .bind(6, record.action)
      .bind(7, record.object)
      .bind(8, record.status)
      .bind(9, record.before)
      .bind(10, record.after)
      .bind_blob(11, view(head.hash));
  WEIR_CHECK_OK(insert.run());
  WEIR_TRY(const std::string signature,
           key_.sign(signed_bytes(kHeadDomain, record.number, head.hash)));
  WEIR_TRY(store::Statement update,
           connection_.prepare("INSERT INTO head(one, number, hash, signature) VALUES(1, ?1, ?2, "
                               "?3) ON CONFLICT(one) DO UPDATE SET number=?1, hash=?2, "
                               "signature=?3"));
  update.bind(1, record.number).bind_blob(2, view(head.hash)).bind_blob(3, signature);
  WEIR_CHECK_OK(update.run());
  if (record.number % kCheckpointEvery == 0) {
    WEIR_TRY(const std::string signed_too,
             key_.sign(signed_bytes(kCheckpointDomain, record.number, head.hash)));
    WEIR_TRY(store::Statement checkpoint,
             connection_.prepare("INSERT INTO checkpoint(number, signature) VALUES(?1, ?2)"));
    checkpoint.bind(1, record.number).bind_blob(2, signed_too);
    WEIR_CHECK_OK(checkpoint.run());
  }
  WEIR_CHECK_OK(transaction.commit());
  return record.number;
}

Result<std::vector<AuditRecord>> AuditLog::list(const AuditQuery& query) {
  WEIR_TRY(store::Statement rows,
           connection_.prepare(fmt::format(
               "SELECT {} FROM record WHERE number<?1 AND time_ms>=?2 AND time_ms<?3 AND "
               "(?4='' OR actor=?4) AND (?5='' OR instr(action, ?5)>0) AND (?6='' OR object=?6) "
               "ORDER BY number DESC LIMIT ?7",
               kColumns)));
  rows.bind(1, query.before > 0 ? query.before : INT64_MAX)
      .bind(2, query.since_ms)
      .bind(3, query.until_ms)
      .bind(4, query.actor)
      .bind(5, query.action)
      .bind(6, query.object)
      .bind(7, query.limit);
  std::vector<AuditRecord> records;
  while (true) {
    WEIR_TRY(const bool more, rows.step());
    if (!more) return records;
    records.push_back(read_record(rows));
  }
}

Result<AuditReport> AuditLog::verify(const std::string& data_dir, const AuditKey& key,
                                     const std::optional<AuditAnchor>& anchor) {
  WEIR_TRY(store::Connection connection,
           store::Connection::open(data_dir + "/audit.db", store::OpenMode::read_only));
  AuditReport report;
  size_t hidden = 0;
  const auto problem = [&](std::string text) {
    report.problems.size() < kProblemsMax ? report.problems.push_back(std::move(text))
                                          : void(++hidden);
  };
  // One state of the file, whoever appends meanwhile.
  WEIR_CHECK_OK(connection.execute("BEGIN"));
  WEIR_TRY(store::Statement rows,
           connection.prepare(fmt::format("SELECT {} FROM record ORDER BY number", kColumns)));
  WEIR_TRY(store::Statement points,
           connection.prepare("SELECT signature FROM checkpoint WHERE number=?1"));
  AuditHash hash{};
  int64_t number = 0;
  bool anchored = !anchor;
  while (true) {
    WEIR_TRY(const bool more, rows.step());
    if (!more) break;
    const AuditRecord record = read_record(rows);
    if (record.number != number + 1) {
      problem(fmt::format("records {} to {} are missing", number + 1, record.number - 1));
    }
    AuditHash stored{};
    const bool whole = read_hash(rows.column_blob(kHashColumn), stored);
    const AuditHash made = hash_of(hash, record);
    if (!whole || made != stored) {
      problem(fmt::format("record {} or the one before it is not what was written", record.number));
    }
    number = record.number;
    // What follows is judged by what stands here, so that each break is told once.
    hash = stored;
    ++report.records;
    if (number % kCheckpointEvery == 0) {
      points.reset();
      points.bind(1, number);
      WEIR_TRY(const bool found, points.step());
      if (!found) {
        problem(fmt::format("checkpoint {} is missing", number));
      } else if (!key.verify(signed_bytes(kCheckpointDomain, number, hash),
                             points.column_blob(0))) {
        problem(fmt::format("checkpoint {} is not signed with this key for this record", number));
      }
      ++report.checkpoints;
    }
    if (anchor && number == anchor->number) {
      anchored = hash == anchor->hash;
      if (!anchored) problem(fmt::format("record {} differs from the anchor", number));
    }
  }
  if (anchor && !anchored && number < anchor->number) {
    problem(
        fmt::format("the anchor is record {}, the last one here is {}", anchor->number, number));
  }
  report.head = {.number = number, .hash = hash};
  WEIR_TRY(const AuditHead head, read_head(connection));
  if (head.number != number || head.hash != hash) {
    problem(fmt::format("the head names record {}, the last one is {}", head.number, number));
  } else if (number > 0 && !key.verify(signed_bytes(kHeadDomain, number, hash), head.signature)) {
    problem("the head is not signed with this key");
  }
  if (hidden > 0) report.problems.push_back(fmt::format("and {} more", hidden));
  return report;
}

}  // namespace weir::identity
