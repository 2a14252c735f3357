#include "identity/people_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "access/key_format.h"
#include "base/encoding.h"
#include "base/id.h"
#include "base/utf8.h"

namespace weir::identity {
namespace {

// Ids made here are told from those of requests by their maker number.
constexpr uint8_t kIdMaker = 254;
constexpr int64_t kMinuteMs = 60'000;

constexpr store::Migration kMigrations[] = {
    {1,
     "CREATE TABLE user("
     "id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, kind INTEGER NOT NULL, "
     "display TEXT NOT NULL, roles TEXT NOT NULL, disabled INTEGER NOT NULL, "
     "password TEXT NOT NULL, issuer TEXT NOT NULL, subject TEXT NOT NULL, "
     "created_ms INTEGER NOT NULL, signed_in_ms INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE UNIQUE INDEX user_subject ON user(issuer, subject) WHERE issuer <> '';"
     "CREATE TABLE session("
     "hash BLOB PRIMARY KEY, user TEXT NOT NULL REFERENCES user ON DELETE CASCADE, "
     "address TEXT NOT NULL, created_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, "
     "expires_ms INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE INDEX session_user ON session(user, created_ms);"
     "CREATE TABLE token("
     "id TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES user ON DELETE CASCADE, "
     "name TEXT NOT NULL, hash BLOB NOT NULL UNIQUE, masked TEXT NOT NULL, roles TEXT NOT NULL, "
     "created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, used_ms INTEGER NOT NULL, "
     "revoked_ms INTEGER NOT NULL) WITHOUT ROWID;"
     "CREATE UNIQUE INDEX token_name ON token(user, name) WHERE revoked_ms = 0"}};

constexpr std::string_view kUserColumns =
    "user.id, user.name, user.kind, user.display, user.roles, user.disabled, user.password<>'', "
    "user.issuer, user.subject, user.created_ms, user.signed_in_ms";
constexpr int kUserColumnCount = 11;
constexpr std::string_view kTokenColumns =
    "token.id, token.user, token.name, token.masked, token.roles, token.created_ms, "
    "token.expires_ms, token.used_ms, token.revoked_ms";
constexpr std::string_view kAdministrators =
    "SELECT count(*) FROM user WHERE kind=0 AND disabled=0 AND ','||roles||',' LIKE '%,admin,%'";

std::string_view view(const access::KeyHash& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

// Roles that a newer version wrote grant nothing here.
RoleSet stored_roles(std::string_view text) {
  auto roles = parse_roles(text);
  return roles ? *roles : RoleSet();
}

User read_user(const store::Statement& row, int at = 0) {
  User user;
  user.id = row.column_text(at);
  user.name = row.column_text(at + 1);
  user.kind = row.column_int64(at + 2) == 0 ? UserKind::person : UserKind::service;
  user.display = row.column_text(at + 3);
  user.roles = stored_roles(row.column_text(at + 4));
  user.disabled = row.column_int64(at + 5) != 0;
  user.has_password = row.column_int64(at + 6) != 0;
  user.issuer = row.column_text(at + 7);
  user.subject = row.column_text(at + 8);
  user.created_ms = row.column_int64(at + 9);
  user.signed_in_ms = row.column_int64(at + 10);
  return user;
}

Token read_token(const store::Statement& row, int at = 0) {
  Token token;
  token.id = row.column_text(at);
  token.user_id = row.column_text(at + 1);
  token.name = row.column_text(at + 2);
  token.masked = row.column_text(at + 3);
  token.roles = stored_roles(row.column_text(at + 4));
  token.created_ms = row.column_int64(at + 5);
  token.expires_ms = row.column_int64(at + 6);
  token.used_ms = row.column_int64(at + 7);
  token.revoked_ms = row.column_int64(at + 8);
  return token;
}

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax && is_utf8(name) &&
         std::ranges::none_of(name, [](char c) {
           return static_cast<unsigned char>(c) < 0x21 || c == 0x7f || c == '/' || c == ':';
         });
}

bool is_label(std::string_view text, size_t bytes_min) {
  return text.size() >= bytes_min && text.size() <= kNameBytesMax && is_utf8(text) &&
         std::ranges::none_of(
             text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

Error no_user(std::string_view what) {
  return {ErrorCode::not_found, fmt::format("there is no user \"{}\"", what)};
}

// The next free id of that table, should two be made in one millisecond.
Result<std::string> free_id(store::Connection& connection, std::string_view table,
                            int64_t wall_ms) {
  IdMaker ids(kIdMaker);
  while (true) {
    std::string id = ids.make(wall_ms).to_text();
    WEIR_TRY(store::Statement taken,
             connection.prepare(fmt::format("SELECT 1 FROM {} WHERE id=?1", table)));
    taken.bind(1, id);
    WEIR_TRY(const bool found, taken.step());
    if (!found) return id;
  }
}

}  // namespace

std::string_view to_string(UserKind kind) {
  return kind == UserKind::person ? "person" : "service";
}

Result<PeopleStore> PeopleStore::open(const std::string& data_dir,
                                      std::shared_ptr<const access::KeyHasher> hasher) {
  WEIR_TRY(store::Connection connection,
           store::Connection::open(data_dir + "/people.db", store::OpenMode::create));
  WEIR_CHECK_OK(connection.migrate("identity", kMigrations));
  return PeopleStore(std::move(connection), std::move(hasher));
}

Result<bool> PeopleStore::has_users() {
  WEIR_TRY(const auto one, connection_.query_int64("SELECT 1 FROM user LIMIT 1"));
  return one.has_value();
}

Result<std::vector<User>> PeopleStore::users() {
  WEIR_TRY(store::Statement query,
           connection_.prepare(fmt::format("SELECT {} FROM user ORDER BY name", kUserColumns)));
  std::vector<User> users;
  while (true) {
    WEIR_TRY(const bool more, query.step());
    if (!more) return users;
    users.push_back(read_user(query));
  }
}

Result<User> PeopleStore::user(std::string_view id) {
  WEIR_TRY(store::Statement query,
           connection_.prepare(fmt::format("SELECT {} FROM user WHERE id=?1", kUserColumns)));
  query.bind(1, id);
  WEIR_TRY(const bool found, query.step());
  if (!found) return fail(no_user(id));
  return read_user(query);
}

Result<User> PeopleStore::find(std::string_view name) {
  WEIR_TRY(auto found, with_password(name));
  return std::move(found.first);
}

Result<std::pair<User, std::string>> PeopleStore::with_password(std::string_view name) {
  WEIR_TRY(store::Statement query,
           connection_.prepare(
               fmt::format("SELECT {}, password FROM user WHERE name=?1", kUserColumns)));
  query.bind(1, name);
  WEIR_TRY(const bool found, query.step());
  if (!found) return fail(no_user(name));
  return std::pair(read_user(query), std::string(query.column_text(kUserColumnCount)));
}

Result<User> PeopleStore::create(User user, std::string_view password_hash, int64_t wall_ms) {
  if (!is_name(user.name)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("a user's name has 1 to {} bytes, without white space, ':' and '/'",
                            kNameBytesMax));
  }
  if (!is_label(user.display, 0)) {
    return fail(ErrorCode::invalid_argument, "a display name is a text of at most 128 bytes");
  }
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(connection_));
  WEIR_TRY(const auto count, connection_.query_int64("SELECT count(*) FROM user"));
  if (count.value_or(0) >= kUsersMax) {
    return fail(ErrorCode::limit_exceeded, fmt::format("there are {} users already", kUsersMax));
  }
  WEIR_TRY(user.id, free_id(connection_, "user", wall_ms));
  user.created_ms = wall_ms;
  user.has_password = !password_hash.empty();
  const std::string roles = to_text(user.roles);
  WEIR_TRY(store::Statement insert,
           connection_.prepare("INSERT INTO user(id, name, kind, display, roles, disabled, "
                               "password, issuer, subject, created_ms, signed_in_ms) "
                               "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"));
  insert.bind(1, user.id)
      .bind(2, user.name)
      .bind(3, int64_t{user.kind == UserKind::person ? 0 : 1})
      .bind(4, user.display)
      .bind(5, roles)
      .bind(6, int64_t{user.disabled})
      .bind(7, password_hash)
      .bind(8, user.issuer)
      .bind(9, user.subject)
      .bind(10, wall_ms)
      .bind(11, user.signed_in_ms);
  if (auto done = insert.run(); !done) {
    if (done.error().code() != ErrorCode::already_exists) return fail(std::move(done).error());
    return fail(ErrorCode::already_exists,
                fmt::format("there is a user \"{}\" already", user.name));
  }
  WEIR_CHECK_OK(transaction.commit());
  return user;
}

Result<User> PeopleStore::change(std::string_view id, const UserChange& change) {
  if (change.display && !is_label(*change.display, 0)) {
    return fail(ErrorCode::invalid_argument, "a display name is a text of at most 128 bytes");
  }
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(connection_));
  WEIR_TRY(User user, this->user(id));
  const std::string before = to_text(user.roles);
  WEIR_TRY(const auto administrators, connection_.query_int64(kAdministrators));
  if (change.display) user.display = *change.display;
  if (change.roles) user.roles = *change.roles;
  if (change.disabled) user.disabled = *change.disabled;
  const std::string roles = to_text(user.roles);
  WEIR_TRY(store::Statement update,
           connection_.prepare("UPDATE user SET display=?2, roles=?3, disabled=?4 WHERE id=?1"));
  update.bind(1, user.id).bind(2, user.display).bind(3, roles).bind(4, int64_t{user.disabled});
  WEIR_CHECK_OK(update.run());
  if (user.disabled) {
    WEIR_TRY(store::Statement end, connection_.prepare("DELETE FROM session WHERE user=?1"));
    end.bind(1, user.id);
    WEIR_CHECK_OK(end.run());
  }
  if (administrators.value_or(0) > 0) WEIR_CHECK_OK(keep_an_administrator());
  WEIR_CHECK_OK(transaction.commit());
  return user;
}

Result<void> PeopleStore::keep_an_administrator() {
  WEIR_TRY(const auto left, connection_.query_int64(kAdministrators));
  if (left.value_or(0) > 0) return {};
  return fail(ErrorCode::permission_denied,
              "this is the last administrator who can sign in; make another one first");
}

Result<void> PeopleStore::remove(std::string_view id) {
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(connection_));
  WEIR_TRY(const auto administrators, connection_.query_int64(kAdministrators));
  WEIR_TRY(store::Statement remove, connection_.prepare("DELETE FROM user WHERE id=?1"));
  remove.bind(1, id);
  WEIR_CHECK_OK(remove.run());
  if (connection_.changes() == 0) return fail(no_user(id));
  if (administrators.value_or(0) > 0) WEIR_CHECK_OK(keep_an_administrator());
  return transaction.commit();
}

Result<void> PeopleStore::set_password(std::string_view id, std::string_view password_hash,
                                       const access::KeyHash* keep) {
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(connection_));
  WEIR_TRY(const User user, this->user(id));
  if (user.kind == UserKind::service || !user.issuer.empty()) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("\"{}\" signs in without a password of its own", user.name));
  }
  WEIR_TRY(store::Statement update, connection_.prepare("UPDATE user SET password=?2 WHERE id=?1"));
  update.bind(1, id).bind(2, password_hash);
  WEIR_CHECK_OK(update.run());
  WEIR_TRY(store::Statement end,
           connection_.prepare("DELETE FROM session WHERE user=?1 AND hash<>?2"));
  end.bind(1, id).bind_blob(2, keep == nullptr ? std::string_view("-") : view(*keep));
  WEIR_CHECK_OK(end.run());
  return transaction.commit();
}

Result<User> PeopleStore::vouched(std::string_view issuer, std::string_view subject,
                                  std::string_view name, std::string_view display, RoleSet roles,
                                  int64_t wall_ms) {
  WEIR_TRY(store::Statement query,
           connection_.prepare(
               fmt::format("SELECT {} FROM user WHERE issuer=?1 AND subject=?2", kUserColumns)));
  query.bind(1, issuer).bind(2, subject);
  WEIR_TRY(const bool found, query.step());
  if (!found) {
    User user;
    user.name = name;
    user.display = display;
    user.roles = roles;
    user.issuer = issuer;
    user.subject = subject;
    return create(std::move(user), {}, wall_ms);
  }
  const User user = read_user(query);
  query.reset();
  if (user.disabled) {
    return fail(ErrorCode::permission_denied, fmt::format("\"{}\" is disabled", user.name));
  }
  // The identity provider decides: roles that are gone there are gone here, the last
  // administrator's too. `weir user` and admin.token are the ways back in.
  const std::string text = to_text(roles);
  WEIR_TRY(store::Statement update,
           connection_.prepare("UPDATE user SET display=?2, roles=?3 WHERE id=?1"));
  update.bind(1, user.id).bind(2, display).bind(3, text);
  WEIR_CHECK_OK(update.run());
  return this->user(user.id);
}

access::KeyHash PeopleStore::session_hash(std::string_view cookie) const {
  return hasher_->hash(fmt::format("session:{}", cookie));
}

std::string PeopleStore::csrf_token(const Session& session) const {
  return base64url_encode(view(hasher_->hash(fmt::format("csrf:{}", view(session.hash)))));
}

Result<Secret> PeopleStore::open_session(std::string_view user_id, std::string_view address,
                                         int64_t wall_ms, const SessionRules& rules) {
  WEIR_TRY(Secret cookie, access::generate_key("ws_"));
  const access::KeyHash hash = session_hash(cookie.reveal());
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(connection_));
  WEIR_TRY(const User user, this->user(user_id));
  if (user.disabled || user.kind == UserKind::service) {
    return fail(ErrorCode::permission_denied, fmt::format("\"{}\" may not sign in", user.name));
  }
  WEIR_TRY(store::Statement old,
           connection_.prepare("DELETE FROM session WHERE expires_ms<=?2 OR hash IN (SELECT hash "
                               "FROM session WHERE user=?1 ORDER BY created_ms DESC, hash LIMIT -1 "
                               "OFFSET ?3)"));
  old.bind(1, user_id).bind(2, wall_ms).bind(3, kSessionsMax - 1);
  WEIR_CHECK_OK(old.run());
  WEIR_TRY(store::Statement insert,
           connection_.prepare("INSERT INTO session(hash, user, address, created_ms, seen_ms, "
                               "expires_ms) VALUES(?1, ?2, ?3, ?4, ?4, ?5)"));
  insert.bind_blob(1, view(hash))
      .bind(2, user_id)
      .bind(3, address)
      .bind(4, wall_ms)
      .bind(5, wall_ms + rules.lifetime.count());
  WEIR_CHECK_OK(insert.run());
  WEIR_TRY(store::Statement seen,
           connection_.prepare("UPDATE user SET signed_in_ms=?2 WHERE id=?1"));
  seen.bind(1, user_id).bind(2, wall_ms);
  WEIR_CHECK_OK(seen.run());
  WEIR_CHECK_OK(transaction.commit());
  return cookie;
}

Result<std::optional<Session>> PeopleStore::find_session(std::string_view cookie, int64_t wall_ms,
                                                         const SessionRules& rules) {
  if (cookie.empty() || cookie.size() > access::kPresentedKeyMax) return std::nullopt;
  Session session;
  session.hash = session_hash(cookie);
  WEIR_TRY(store::Statement query,
           connection_.prepare(fmt::format(
               "SELECT {}, session.created_ms, session.seen_ms, session.expires_ms FROM session "
               "JOIN user ON user.id=session.user WHERE session.hash=?1",
               kUserColumns)));
  query.bind_blob(1, view(session.hash));
  WEIR_TRY(const bool found, query.step());
  if (!found) return std::nullopt;
  session.user = read_user(query);
  session.created_ms = query.column_int64(kUserColumnCount);
  const int64_t seen_ms = query.column_int64(kUserColumnCount + 1);
  session.expires_ms = query.column_int64(kUserColumnCount + 2);
  query.reset();
  if (session.user.disabled || wall_ms >= session.expires_ms ||
      wall_ms >= seen_ms + rules.idle.count()) {
    return std::nullopt;
  }
  // To the minute, so that a page that asks every second writes nothing.
  if (wall_ms >= seen_ms + kMinuteMs) {
    WEIR_TRY(store::Statement seen,
             connection_.prepare("UPDATE session SET seen_ms=?2 WHERE hash=?1"));
    seen.bind_blob(1, view(session.hash)).bind(2, wall_ms);
    WEIR_CHECK_OK(seen.run());
  }
  return session;
}

Result<void> PeopleStore::end_session(const access::KeyHash& hash) {
  WEIR_TRY(store::Statement end, connection_.prepare("DELETE FROM session WHERE hash=?1"));
  end.bind_blob(1, view(hash));
  return end.run();
}

Result<NewToken> PeopleStore::create_token(std::string_view user_id, std::string_view name,
                                           RoleSet roles, int64_t expires_ms, int64_t wall_ms) {
  if (!is_label(name, 1)) {
    return fail(ErrorCode::invalid_argument, "a token's name is a text of 1 to 128 bytes");
  }
  if (expires_ms <= wall_ms || expires_ms > wall_ms + kTokenLifetimeMaxMs) {
    return fail(ErrorCode::invalid_argument, "a token ends within 366 days");
  }
  NewToken made;
  WEIR_TRY(made.secret, access::generate_key(kTokenPrefix));
  made.token.name = name;
  made.token.user_id = user_id;
  made.token.roles = roles;
  made.token.masked = access::mask_key(made.secret.reveal(), kTokenPrefix);
  made.token.created_ms = wall_ms;
  made.token.expires_ms = expires_ms;
  const access::KeyHash hash = hasher_->hash(made.secret.reveal());
  WEIR_TRY(store::Transaction transaction, store::Transaction::begin(connection_));
  WEIR_TRY(const User user, this->user(user_id));
  if (roles.empty() || !user.roles.covers(roles)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("a token of \"{}\" has one or more of its roles: {}", user.name,
                            to_text(user.roles)));
  }
  // Those long ended make room.
  WEIR_TRY(store::Statement old,
           connection_.prepare("DELETE FROM token WHERE user=?1 AND (revoked_ms<>0 OR "
                               "expires_ms<=?2) AND id NOT IN (SELECT id FROM token WHERE user=?1 "
                               "ORDER BY id DESC LIMIT 20)"));
  old.bind(1, user_id).bind(2, wall_ms);
  WEIR_CHECK_OK(old.run());
  WEIR_TRY(store::Statement count,
           connection_.prepare("SELECT count(*) FROM token WHERE user=?1 AND revoked_ms=0 AND "
                               "expires_ms>?2"));
  count.bind(1, user_id).bind(2, wall_ms);
  WEIR_TRY(const bool counted, count.step());
  if (counted && count.column_int64(0) >= kTokensMax) {
    return fail(ErrorCode::limit_exceeded,
                fmt::format("\"{}\" has {} tokens already", user.name, kTokensMax));
  }
  count.reset();
  WEIR_TRY(made.token.id, free_id(connection_, "token", wall_ms));
  const std::string text = to_text(roles);
  WEIR_TRY(store::Statement insert,
           connection_.prepare("INSERT INTO token(id, user, name, hash, masked, roles, created_ms, "
                               "expires_ms, used_ms, revoked_ms) "
                               "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0)"));
  insert.bind(1, made.token.id)
      .bind(2, user_id)
      .bind(3, name)
      .bind_blob(4, view(hash))
      .bind(5, made.token.masked)
      .bind(6, text)
      .bind(7, wall_ms)
      .bind(8, expires_ms);
  if (auto done = insert.run(); !done) {
    if (done.error().code() != ErrorCode::already_exists) return fail(std::move(done).error());
    return fail(ErrorCode::already_exists,
                fmt::format("\"{}\" has a token of that name already", user.name));
  }
  WEIR_CHECK_OK(transaction.commit());
  return made;
}

Result<std::vector<Token>> PeopleStore::tokens(std::string_view user_id) {
  WEIR_TRY(store::Statement query,
           connection_.prepare(fmt::format(
               "SELECT {} FROM token WHERE ?1='' OR user=?1 ORDER BY id DESC", kTokenColumns)));
  query.bind(1, user_id);
  std::vector<Token> tokens;
  while (true) {
    WEIR_TRY(const bool more, query.step());
    if (!more) return tokens;
    tokens.push_back(read_token(query));
  }
}

Result<void> PeopleStore::revoke_token(std::string_view id, std::string_view user_id,
                                       int64_t wall_ms) {
  WEIR_TRY(store::Statement update,
           connection_.prepare("UPDATE token SET revoked_ms=?3 WHERE id=?1 AND (?2='' OR user=?2) "
                               "AND revoked_ms=0"));
  update.bind(1, id).bind(2, user_id).bind(3, wall_ms);
  WEIR_CHECK_OK(update.run());
  if (connection_.changes() == 0) {
    return fail(ErrorCode::not_found, fmt::format("no token in force has the id \"{}\"", id));
  }
  return {};
}

Result<std::optional<std::pair<User, Token>>> PeopleStore::find_token(std::string_view secret,
                                                                      int64_t wall_ms) {
  if (!secret.starts_with(kTokenPrefix) || secret.size() > access::kPresentedKeyMax) {
    return std::nullopt;
  }
  const access::KeyHash hash = hasher_->hash(secret);
  WEIR_TRY(store::Statement query,
           connection_.prepare(fmt::format("SELECT {}, {} FROM token JOIN user ON "
                                           "user.id=token.user WHERE token.hash=?1",
                                           kUserColumns, kTokenColumns)));
  query.bind_blob(1, view(hash));
  WEIR_TRY(const bool found, query.step());
  if (!found) return std::nullopt;
  User user = read_user(query);
  Token token = read_token(query, kUserColumnCount);
  query.reset();
  if (user.disabled || token.revoked_ms != 0 || wall_ms >= token.expires_ms) return std::nullopt;
  token.roles = token.roles.both(user.roles);
  if (wall_ms >= token.used_ms + kMinuteMs) {
    WEIR_TRY(store::Statement used, connection_.prepare("UPDATE token SET used_ms=?2 WHERE id=?1"));
    used.bind(1, token.id).bind(2, wall_ms);
    WEIR_CHECK_OK(used.run());
  }
  return std::pair(std::move(user), std::move(token));
}

}  // namespace weir::identity
