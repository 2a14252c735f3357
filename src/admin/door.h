// Door: who asks, by what they present, and what a browser may be made to do. In this order: the
// configuration's token and access tokens as "Authorization: Bearer ...", then a session's cookie.
// Where there is neither a token in the configuration nor a user, whoever is on this machine counts
// as an administrator; the listener is on loopback then.
//
// Against other sites' pages in a visitor's browser: without admin.token a request whose Host or
// Origin is neither a loopback name nor public_url's is refused; a change by cookie needs the
// session's x-weir-csrf; the cookie is HttpOnly and SameSite=Strict.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "admin/routes.h"
#include "base/result.h"
#include "base/secret.h"
#include "http/head.h"
#include "identity/people.h"

namespace weir::admin {

struct Door {
  Secret token;            // admin.token
  std::string public_url;  // "https://weir.example.com"; empty: as it listens
  bool reachable = false;  // from other machines: being on this one is no proof

  bool secure() const { return public_url.starts_with("https://"); }
  std::string_view cookie_name() const { return secure() ? "__Host-weir_session" : "weir_session"; }
  std::string_view oidc_cookie_name() const {
    return secure() ? "__Secure-weir_oidc" : "weir_oidc";
  }
  // Of every name that a browser sends: empty where it does not.
  static std::string_view cookie(const http::RequestHead& head, std::string_view name);
  // Whether a request may be looked at: files and pages too.
  bool admits(const http::RequestHead& head) const;
  // Errors are those of the store.
  Result<identity::Actor> recognize(const http::RequestHead& head, identity::People& people,
                                    int64_t wall_ms) const;
  // Whether somebody must say who they are: false where this machine is trusted.
  Result<bool> asks(identity::People& people) const;
  // Why the actor may not make this request; nullopt: it may.
  std::optional<Reply> refuse(const http::RequestHead& head, const identity::Actor& actor,
                              identity::Permission needed, identity::People& people) const;
};

}  // namespace weir::admin
