#include "access/key_store.h"

#include <fmt/format.h>

#include <cstring>

#include "access/key_format.h"
#include "base/id.h"
#include "base/json/document.h"
#include "base/json/writer.h"

namespace weir::access {

namespace {

constexpr size_t kNameMax = 128;
// Ids made here are told from those of requests by their maker number.
constexpr uint8_t kIdMaker = 255;

constexpr store::Migration kMigrations[] = {
    {1,
     "CREATE TABLE key("
     "id TEXT PRIMARY KEY, name TEXT NOT NULL, spec TEXT NOT NULL, masked TEXT NOT NULL, "
     "hash BLOB NOT NULL UNIQUE, previous_hash BLOB, previous_until_ms INTEGER NOT NULL, "
     "created_ms INTEGER NOT NULL, revoked_ms INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE UNIQUE INDEX key_name ON key(name) WHERE revoked_ms = 0"}};

constexpr const char* kSelect =
    "SELECT id, name, spec, masked, hash, previous_hash, previous_until_ms, created_ms, "
    "revoked_ms FROM key";

void write_rates(json::Writer& w, const ledger::LimitRules& limits) {
  w.member("rpm", limits.requests_per_minute);
  w.member("tpm", limits.tokens_per_minute);
  w.member("concurrency", limits.concurrency);
}

void read_rates(json::Value from, ledger::LimitRules& limits) {
  limits.requests_per_minute = from["rpm"].as_int64().value_or(0);
  limits.tokens_per_minute = from["tpm"].as_int64().value_or(0);
  limits.concurrency = from["concurrency"].as_int64().value_or(0);
}

bool is_negative(const ledger::LimitRules& limits) {
  return limits.requests_per_minute < 0 || limits.tokens_per_minute < 0 || limits.concurrency < 0;
}

// Everything of a spec but its name, as JSON: what a key may carry grows without migrations.
std::string spec_text(const KeySpec& spec) {
  std::string text;
  json::Writer w(text);
  w.begin_object();
  w.member("team", spec.team);
  w.member("project", spec.project);
  w.key("models").begin_array();
  for (const std::string& model : spec.models) w.string(model);
  w.end_array();
  w.key("tags").begin_array();
  for (const auto& [name, value] : spec.tags) {
    w.begin_array().string(name).string(value).end_array();
  }
  w.end_array();
  write_rates(w, spec.limits);
  w.key("model_limits").begin_array();
  for (const auto& [model, limits] : spec.parts.models) {
    w.begin_object().member("model", model);
    write_rates(w, limits);
    w.end_object();
  }
  w.end_array().key("user_limits").begin_object();
  write_rates(w, spec.parts.users);
  w.end_object();
  if (spec.priority) w.member("priority", ledger::to_string(*spec.priority));
  w.member("owner", spec.owner);
  w.key("budgets").begin_array();
  for (const ledger::BudgetRule& rule : spec.limits.budgets) {
    w.begin_object()
        .member("nano", rule.limit.nano())
        .member("per", ledger::to_string(rule.window))
        .member("days", rule.days)
        .member("hard", rule.hard)
        .end_object();
  }
  w.end_array();
  // Two members: an earlier version wrote "capture": false where nothing was said.
  w.member("capture", spec.capture.value_or(false));
  w.member("capture_refused", spec.capture == false);
  w.key("addresses").begin_array();
  for (const std::string& range : spec.addresses) w.string(range);
  w.end_array().key("endpoints").begin_array();
  for (const std::string& name : spec.endpoints) w.string(name);
  w.end_array();
  w.member("expires_ms", spec.expires_ms);
  w.end_object();
  return text;
}

Result<KeySpec> read_spec(std::string_view name, std::string_view text) {
  json::Document document;
  if (auto parsed = document.parse(text); !parsed) {
    return fail(ErrorCode::corrupt, fmt::format("meta.db: the key '{}' can not be read: {}", name,
                                                parsed.error().message()));
  }
  json::Value root = document.root();
  KeySpec spec;
  spec.name = name;
  spec.team = root["team"].string_or("");
  spec.project = root["project"].string_or("");
  for (json::Value model : root["models"].elements()) spec.models.push_back(model.string_or(""));
  for (json::Value tag : root["tags"].elements()) {
    std::vector<std::string> pair;
    for (json::Value part : tag.elements()) pair.push_back(part.string_or(""));
    if (pair.size() == 2) spec.tags.emplace_back(std::move(pair[0]), std::move(pair[1]));
  }
  read_rates(root, spec.limits);
  for (json::Value one : root["model_limits"].elements()) {
    auto& [model, limits] = spec.parts.models.emplace_back();
    model = one["model"].string_or("");
    read_rates(one, limits);
  }
  read_rates(root["user_limits"], spec.parts.users);
  spec.priority = ledger::priority_of(root["priority"].string_or(""));
  spec.owner = root["owner"].string_or("");
  for (json::Value rule : root["budgets"].elements()) {
    spec.limits.budgets.push_back(
        {.limit = Money::from_nano(rule["nano"].as_int64().value_or(0)),
         .window =
             ledger::window_of(rule["per"].string_or("")).value_or(ledger::BudgetWindow::month),
         .days = static_cast<int32_t>(rule["days"].as_int64().value_or(0)),
         .hard = rule["hard"].as_bool().value_or(true)});
  }
  // As an earlier version wrote it.
  if (auto nano = root["budget_nano"].as_int64()) {
    spec.limits.budgets.push_back({.limit = Money::from_nano(*nano),
                                   .window = root["budget_per"].equals("day")
                                                 ? ledger::BudgetWindow::day
                                                 : ledger::BudgetWindow::month});
  }
  if (root["capture"].as_bool() == true) spec.capture = true;
  if (root["capture_refused"].as_bool() == true) spec.capture = false;
  for (json::Value range : root["addresses"].elements()) {
    spec.addresses.push_back(range.string_or(""));
  }
  for (json::Value endpoint : root["endpoints"].elements()) {
    spec.endpoints.push_back(endpoint.string_or(""));
  }
  spec.expires_ms = root["expires_ms"].as_int64().value_or(0);
  return spec;
}

std::string_view view(const KeyHash& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

Result<KeyHash> hash_of(std::string_view blob) {
  KeyHash hash;
  if (blob.size() != hash.size()) {
    return fail(ErrorCode::corrupt, "meta.db: a key's hash has the wrong size");
  }
  std::memcpy(hash.data(), blob.data(), hash.size());
  return hash;
}

Result<StoredKey> read_key(const store::Statement& row) {
  StoredKey key;
  key.id = row.column_text(0);
  WEIR_TRY(key.spec, read_spec(row.column_text(1), row.column_text(2)));
  key.masked = row.column_text(3);
  WEIR_TRY(key.hash, hash_of(row.column_blob(4)));
  if (!row.column_is_null(5)) {
    WEIR_TRY(key.previous_hash, hash_of(row.column_blob(5)));
  }
  key.previous_until_ms = row.column_int64(6);
  key.created_ms = row.column_int64(7);
  key.revoked_ms = row.column_int64(8);
  return key;
}

Result<void> check(const KeySpec& spec) {
  if (spec.name.empty() || spec.name.size() > kNameMax) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("a key's name has 1 to {} bytes, this one has {}", kNameMax, spec.name.size()));
  }
  bool negative = is_negative(spec.limits) || is_negative(spec.parts.users);
  for (const auto& [model, limits] : spec.parts.models) negative |= is_negative(limits);
  if (negative) {
    return fail(ErrorCode::invalid_argument, "limits must not be negative; 0 means none");
  }
  if (spec.parts.models.size() > PartRules::kModelsMax) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("limits for at most {} models", PartRules::kModelsMax));
  }
  WEIR_CHECK_OK(KeyFence::make(spec.addresses, spec.endpoints));
  return ledger::check_budgets(spec.limits.budgets);
}

Error name_taken(const Error& error, const KeySpec& spec) {
  if (error.code() != ErrorCode::already_exists) return error;
  return {ErrorCode::already_exists, fmt::format("there is a key named '{}' already", spec.name)};
}

// Checked when it was stored. What can be read no more admits nobody.
std::shared_ptr<const KeyFence> fence_of(const KeySpec& spec) {
  if (spec.addresses.empty() && spec.endpoints.empty()) return nullptr;
  auto fence = KeyFence::make(spec.addresses, spec.endpoints);
  if (fence) return std::make_shared<const KeyFence>(std::move(*fence));
  KeyFence closed;
  closed.endpoints.emplace_back();
  return std::make_shared<const KeyFence>(std::move(closed));
}

}  // namespace

Result<KeyStore> KeyStore::open(const std::string& data_dir,
                                std::shared_ptr<const KeyHasher> hasher) {
  WEIR_TRY(store::Connection connection,
           store::Connection::open(data_dir + "/meta.db", store::OpenMode::create));
  WEIR_CHECK_OK(connection.migrate("access", kMigrations));
  return KeyStore(std::move(connection), std::move(hasher));
}

Result<NewKey> KeyStore::create(const KeySpec& spec, int64_t wall_ms) {
  WEIR_CHECK_OK(check(spec));
  WEIR_TRY(Secret secret, generate_key());
  StoredKey key;
  key.spec = spec;
  key.masked = mask_key(secret.reveal());
  key.hash = hasher_->hash(secret.reveal());
  key.created_ms = wall_ms;
  std::string text = spec_text(spec);
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(connection_));
  // The next free id, should two keys be made in one millisecond.
  IdMaker ids(kIdMaker);
  for (;;) {
    key.id = ids.make(wall_ms).to_text();
    WEIR_TRY(store::Statement taken, connection_.prepare("SELECT 1 FROM key WHERE id=?1"));
    taken.bind(1, key.id);
    WEIR_TRY(bool found, taken.step());
    if (!found) break;
  }
  WEIR_TRY(store::Statement insert,
           connection_.prepare("INSERT INTO key(id, name, spec, masked, hash, previous_hash, "
                               "previous_until_ms, created_ms, revoked_ms) "
                               "VALUES(?1, ?2, ?3, ?4, ?5, NULL, 0, ?6, 0)"));
  insert.bind(1, key.id)
      .bind(2, spec.name)
      .bind(3, text)
      .bind(4, key.masked)
      .bind_blob(5, view(key.hash))
      .bind(6, wall_ms);
  if (auto done = insert.run(); !done) return fail(name_taken(done.error(), spec));
  WEIR_CHECK_OK(transaction.commit());
  return NewKey{std::move(key), std::move(secret)};
}

Result<int64_t> KeyStore::foreign_changes() {
  WEIR_TRY(const std::optional<int64_t> version, connection_.query_int64("PRAGMA data_version"));
  return version.value_or(0);
}

Result<std::vector<StoredKey>> KeyStore::list(bool with_revoked) {
  WEIR_TRY(store::Statement query,
           connection_.prepare(fmt::format("{}{} ORDER BY id DESC", kSelect,
                                           with_revoked ? "" : " WHERE revoked_ms=0")));
  std::vector<StoredKey> keys;
  for (;;) {
    WEIR_TRY(bool more, query.step());
    if (!more) return keys;
    WEIR_TRY(StoredKey key, read_key(query));
    keys.push_back(std::move(key));
  }
}

Result<StoredKey> KeyStore::get(std::string_view id) {
  WEIR_TRY(store::Statement query, connection_.prepare(fmt::format("{} WHERE id=?1", kSelect)));
  query.bind(1, id);
  WEIR_TRY(bool found, query.step());
  if (!found) return fail(ErrorCode::not_found, fmt::format("no key has the id '{}'", id));
  return read_key(query);
}

Result<StoredKey> KeyStore::update(std::string_view id, const KeySpec& spec) {
  WEIR_CHECK_OK(check(spec));
  std::string text = spec_text(spec);
  WEIR_TRY(store::Statement update, connection_.prepare("UPDATE key SET name=?2, spec=?3 "
                                                        "WHERE id=?1 AND revoked_ms=0"));
  update.bind(1, id).bind(2, spec.name).bind(3, text);
  if (auto done = update.run(); !done) return fail(name_taken(done.error(), spec));
  if (connection_.changes() == 0) {
    return fail(ErrorCode::not_found, fmt::format("no key in force has the id '{}'", id));
  }
  return get(id);
}

Result<void> KeyStore::revoke(std::string_view id, int64_t wall_ms) {
  WEIR_TRY(store::Statement update,
           connection_.prepare("UPDATE key SET revoked_ms=?2, previous_hash=NULL "
                               "WHERE id=?1 AND revoked_ms=0"));
  update.bind(1, id).bind(2, wall_ms);
  WEIR_CHECK_OK(update.run());
  if (connection_.changes() == 0) {
    return fail(ErrorCode::not_found, fmt::format("no key in force has the id '{}'", id));
  }
  return {};
}

Result<NewKey> KeyStore::rotate(std::string_view id, int64_t wall_ms, int64_t overlap_ms) {
  WEIR_TRY(Secret secret, generate_key());
  std::string masked = mask_key(secret.reveal());
  KeyHash hash = hasher_->hash(secret.reveal());
  WEIR_TRY(
      store::Statement update,
      connection_.prepare("UPDATE key SET previous_hash=CASE WHEN ?4>0 THEN hash END, "
                          "previous_until_ms=?5, hash=?2, masked=?3 WHERE id=?1 AND revoked_ms=0"));
  update.bind(1, id)
      .bind_blob(2, view(hash))
      .bind(3, masked)
      .bind(4, overlap_ms)
      .bind(5, overlap_ms > 0 ? wall_ms + overlap_ms : 0);
  WEIR_CHECK_OK(update.run());
  if (connection_.changes() == 0) {
    return fail(ErrorCode::not_found, fmt::format("no key in force has the id '{}'", id));
  }
  WEIR_TRY(StoredKey key, get(id));
  return NewKey{std::move(key), std::move(secret)};
}

void append_entries(const StoredKey& key, std::shared_ptr<ledger::LimitCells> key_limits,
                    std::vector<KeyEntry>& entries) {
  if (key.revoked_ms != 0) return;
  Principal principal;
  principal.key_id = key.id;
  principal.name = key.spec.name;
  principal.team = key.spec.team;
  principal.project = key.spec.project;
  principal.models = key.spec.models;
  principal.tags = key.spec.tags;
  principal.capture = key.spec.capture;
  principal.fence = fence_of(key.spec);
  principal.expires_ms = key.spec.expires_ms;
  principal.masked = key.masked;
  principal.key_limits = std::move(key_limits);
  entries.push_back({key.hash, principal});
  if (!key.previous_hash) return;
  if (principal.expires_ms == 0 || key.previous_until_ms < principal.expires_ms) {
    principal.expires_ms = key.previous_until_ms;
  }
  entries.push_back({*key.previous_hash, std::move(principal)});
}

}  // namespace weir::access
