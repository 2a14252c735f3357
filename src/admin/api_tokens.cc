// Access tokens: one's own, service accounts', and everybody's.
#include <map>

#include "admin/fields.h"
#include "admin/people_json.h"
#include "admin/routes.h"
#include "base/json/writer.h"

namespace weir::admin {
namespace {

using identity::Actor;

constexpr int64_t kStandardLifetimeMs = 90LL * 86'400'000;

Reply list_reply(const std::vector<identity::Token>& tokens,
                 const std::map<std::string, std::string>& names) {
  Reply reply;
  json::Writer w(reply.body);
  w.begin_object().key("tokens").begin_array();
  for (const identity::Token& token : tokens) {
    const auto name = names.find(token.user_id);
    w.begin_object();
    write_token(w, token, name == names.end() ? std::string_view() : name->second);
    w.end_object();
  }
  w.end_array().end_object();
  return reply;
}

Result<Reply> make(identity::PeopleStore& store, const identity::User& user,
                   const Request& request) {
  const json::Value body = request.body;
  WEIR_CHECK_OK(only_fields(body, {"name", "roles", "expires"}));
  WEIR_TRY(const std::string name, required_text(body, "name"));
  WEIR_TRY(const auto roles, roles_member(body));
  WEIR_TRY(const auto expires, time_member(body, "expires"));
  const int64_t now = SystemClock().wall_ms();
  WEIR_TRY(const identity::NewToken made,
           store.create_token(user.id, name, roles.value_or(user.roles),
                              expires.value_or(now + kStandardLifetimeMs), now));
  request.note->object = made.token.id;
  request.note->after = token_text(made.token, user.name);
  Reply reply{.status = 201, .body = {}};
  json::Writer w(reply.body);
  w.begin_object().member("token", made.secret.reveal());
  write_token(w, made.token, user.name);
  w.end_object();
  return reply;
}

Result<Reply> revoke(identity::PeopleStore& store, std::string_view id, std::string_view user_id) {
  WEIR_CHECK_OK(store.revoke_token(id, user_id, SystemClock().wall_ms()));
  return Reply{.body = R"({"revoked":true})"};
}

}  // namespace

net::Task<Result<Reply>> list_my_tokens(Backend& backend, const Request& request) {
  const Actor& actor = request.actor;
  if (actor.user_id.empty()) co_return list_reply({}, {});
  auto tokens = backend.people().store().tokens(actor.user_id);
  if (!tokens) co_return fail(std::move(tokens).error());
  co_return list_reply(*tokens, {{actor.user_id, actor.name}});
}

net::Task<Result<Reply>> create_my_token(Backend& backend, const Request& request) {
  // A token that leaked must not make others that outlive it.
  if (request.actor.kind != Actor::Kind::session) {
    co_return fail(ErrorCode::permission_denied, "a token is made by a person who is signed in");
  }
  co_return make(backend.people().store(), request.actor.session->user, request);
}

net::Task<Result<Reply>> revoke_my_token(Backend& backend, const Request& request) {
  if (request.actor.user_id.empty()) {
    co_return fail(ErrorCode::not_found, "who has no user has no tokens");
  }
  co_return revoke(backend.people().store(), request.path_value, request.actor.user_id);
}

net::Task<Result<Reply>> list_tokens(Backend& backend, const Request&) {
  identity::PeopleStore& store = backend.people().store();
  auto users = store.users();
  if (!users) co_return fail(std::move(users).error());
  std::map<std::string, std::string> names;
  for (const identity::User& user : *users) names[user.id] = user.name;
  auto tokens = store.tokens("");
  if (!tokens) co_return fail(std::move(tokens).error());
  co_return list_reply(*tokens, names);
}

net::Task<Result<Reply>> create_user_token(Backend& backend, const Request& request) {
  auto user = backend.people().store().user(request.path_value);
  if (!user) co_return fail(std::move(user).error());
  // Nobody holds a token that speaks for another person.
  if (user->kind != identity::UserKind::service) {
    co_return fail(ErrorCode::permission_denied,
                   "people make their own tokens; this is for service accounts");
  }
  co_return make(backend.people().store(), *user, request);
}

net::Task<Result<Reply>> revoke_token(Backend& backend, const Request& request) {
  co_return revoke(backend.people().store(), request.path_value, "");
}

}  // namespace weir::admin
