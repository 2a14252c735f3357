// Signing in at an identity provider: there and back.
#include <fmt/format.h>

#include "admin/routes.h"
#include "base/log.h"

namespace weir::admin {
namespace {

constexpr std::string_view kCookiePath = "/api/v1/oidc";

std::string text_of(const Request& request, const std::string& name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? std::string() : found->second;
}

// Lax, not Strict: the browser comes back to it from the provider's page.
std::string oidc_cookie(const Request& request, std::string_view value, int64_t seconds) {
  return fmt::format("{}={}; Path={}; Max-Age={}; HttpOnly; SameSite=Lax{}",
                     request.secure ? "__Secure-weir_oidc" : "weir_oidc", value, kCookiePath,
                     seconds, request.secure ? "; Secure" : "");
}

Reply redirect(std::string location) {
  Reply reply{.status = 303, .content_type = "text/plain", .body = {}};
  reply.headers.emplace_back("location", std::move(location));
  return reply;
}

}  // namespace

net::Task<Result<Reply>> get_oidc_start(Backend& backend, const Request& request) {
  const std::shared_ptr<identity::Oidc> oidc = backend.people().oidc();
  if (oidc == nullptr) {
    co_return fail(ErrorCode::not_found, "no identity provider is configured (admin.oidc)");
  }
  auto started = co_await oidc->start(text_of(request, "return_to"));
  if (!started) {
    log::warn("oidc_unavailable", {{"problem", started.error().message()}});
    co_return fail(ErrorCode::unavailable, std::string(started.error().message()));
  }
  Reply reply = redirect(std::move(started->location));
  reply.headers.emplace_back("set-cookie", oidc_cookie(request, started->cookie.reveal(), 600));
  co_return reply;
}

net::Task<Result<Reply>> get_oidc_callback(Backend& backend, const Request& request) {
  const std::shared_ptr<identity::Oidc> oidc = backend.people().oidc();
  if (oidc == nullptr) {
    co_return fail(ErrorCode::not_found, "no identity provider is configured (admin.oidc)");
  }
  auto who = co_await oidc->finish(text_of(request, "state"), text_of(request, "code"),
                                   text_of(request, "iss"), request.oidc_cookie);
  if (!who) {
    log::warn("oidc_sign_in_failed", {{"problem", who.error().message()},
                                      {"address", request.address},
                                      {"provider_error", text_of(request, "error")}});
    if (who.error().code() == ErrorCode::permission_denied) co_return fail(who.error());
    co_return fail(ErrorCode::unavailable, std::string(who.error().message()));
  }
  auto taken = backend.people().take_in(*who, request.address);
  if (!taken) {
    log::warn("oidc_sign_in_failed",
              {{"problem", taken.error().message()}, {"address", request.address}});
    co_return fail(std::move(taken).error());
  }
  request.note->record = true;
  request.note->actor = taken->first.name;
  request.note->object = taken->first.id;
  const int64_t seconds = backend.people().session_rules().lifetime.count() / 1000;
  Reply reply = redirect(who->return_to);
  reply.headers.emplace_back(
      "set-cookie",
      fmt::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{}", request.cookie_name,
                  taken->second.reveal(), seconds, request.secure ? "; Secure" : ""));
  co_return reply;
}

}  // namespace weir::admin
