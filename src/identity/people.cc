#include "identity/people.h"

#include "base/text.h"

namespace weir::identity {

std::string_view to_string(Actor::Kind kind) {
  switch (kind) {
    case Actor::Kind::nobody:
      return "nobody";
    case Actor::Kind::local:
      return "local";
    case Actor::Kind::admin_token:
      return "admin_token";
    case Actor::Kind::session:
      return "session";
    case Actor::Kind::token:
      return "token";
  }
  return "";
}

People::People(net::Loop& loop, PeopleStore store, PasswordCost cost, PasswordThread::Mode mode)
    : loop_(loop), store_(std::move(store)), passwords_(loop, cost, mode) {}

net::Task<Result<void>> People::check_password(std::string name, Secret password,
                                               std::string address) {
  if (name.size() > kNameBytesMax || password.reveal().size() > kPasswordBytesMax) {
    co_return fail(ErrorCode::permission_denied, "the name or the password is wrong");
  }
  // However it is written, it is one name.
  const std::string guarded = to_lower(name);
  if (guard_.begin(guarded, address, loop_.now()).count() > 0) {
    co_return fail(ErrorCode::limit_exceeded, "too many attempts");
  }
  std::string hash;
  if (auto found = store_.with_password(name)) {
    if (!found->first.disabled) hash = std::move(found->second);
  } else if (found.error().code() != ErrorCode::not_found) {
    guard_.not_made(guarded, address);
    co_return fail(std::move(found).error());
  }
  auto fits = co_await passwords_.verify(std::move(hash), std::move(password));
  if (!fits) {
    guard_.not_made(guarded, address);
    co_return fail(std::move(fits).error());
  }
  if (!*fits) co_return fail(ErrorCode::permission_denied, "the name or the password is wrong");
  guard_.succeeded(guarded, address);
  co_return Result<void>();
}

Nanoseconds People::wait_of(std::string_view name, std::string_view address) const {
  return guard_.left(to_lower(name), address, loop_.now());
}

net::Task<Result<SignIn>> People::sign_in(std::string name, Secret password, std::string address) {
  auto right = co_await check_password(name, std::move(password), address);
  if (!right) {
    const ErrorCode code = right.error().code();
    if (code != ErrorCode::permission_denied && code != ErrorCode::limit_exceeded) {
      co_return fail(std::move(right).error());
    }
    co_return SignIn{.wait = wait_of(name, address)};
  }
  auto user = store_.find(name);
  if (!user) co_return fail(std::move(user).error());
  auto cookie = store_.open_session(user->id, address, loop_.clock().wall_ms(), rules_);
  if (!cookie) co_return fail(std::move(cookie).error());
  co_return SignIn{.user = std::move(*user), .cookie = std::move(*cookie)};
}

void People::set_oidc(std::optional<OidcConfig> config, http::Client& client) {
  oidc_ = config ? std::make_shared<Oidc>(loop_, client, std::move(*config)) : nullptr;
}

Result<std::pair<User, Secret>> People::take_in(const Vouched& who, std::string_view address) {
  const int64_t now = loop_.clock().wall_ms();
  WEIR_TRY(User user,
           store_.vouched(who.issuer, who.subject, who.name, who.display, who.roles, now));
  WEIR_TRY(Secret cookie, store_.open_session(user.id, address, now, rules_));
  return std::pair(std::move(user), std::move(cookie));
}

net::Task<Result<std::string>> People::hash(Secret password, std::string user_name) {
  if (auto fit = identity::check_password(password, user_name); !fit) {
    co_return fail(std::move(fit).error());
  }
  co_return co_await passwords_.hash(std::move(password));
}

}  // namespace weir::identity
