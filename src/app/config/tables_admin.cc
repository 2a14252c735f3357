// The tables of the admin listener, as tables.cc holds the others.
#include "app/config/codec.h"
#include "app/config/schema.h"

namespace weir::app {
namespace {

constexpr int64_t kMinute = 60'000;
constexpr int64_t kDay = 24 * 60 * kMinute;

}  // namespace

template <>
const ObjectSpec& spec_of<Sessions>() {
  static const ObjectSpec spec =
      Table<Sessions>("Sessions", "How long people stay signed in to the console.")
          .field("lifetime", &Sessions::lifetime, "From sign-in to the end of a session.",
                 {.min = kMinute, .max = 90 * kDay})
          .field("idle", &Sessions::idle, "A session that is left alone that long ends.",
                 {.min = kMinute, .max = 90 * kDay})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<OidcProvider>() {
  static const ObjectSpec spec =
      Table<OidcProvider>("Identity provider",
                          "An OpenID Connect provider by which people sign in to the console.")
          .field("issuer", &OidcProvider::issuer,
                 "Its URL as it calls itself, HTTPS unless it runs on this machine.",
                 {.required = true, .as = FieldKind::url})
          .field("client_id", &OidcProvider::client_id, "Weir's name there.", {.required = true})
          .field("client_secret", &OidcProvider::client_secret, "Weir's secret there.",
                 {.unset = "a public client"})
          .field("scope", &OidcProvider::scope, "What is asked for.")
          .field("groups_claim", &OidcProvider::groups_claim,
                 "The claim of the ID token that names a person's groups.")
          .field(
              "roles", &OidcProvider::roles,
              "Roles by group: `weir-admins: admin`, `accounting: \"finance,viewer\"`. Who is in "
              "none of these groups is not let in.")
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Admin>() {
  static const ObjectSpec spec =
      Table<Admin>("Admin", "The listener of the console, the admin API and the metrics.")
          .field("listen", &Admin::listen, "Address and port.")
          .field("token", &Admin::token,
                 "Token that the console and the admin API ask for. Required unless `listen` is a "
                 "loopback address.",
                 {.unset = "none asked for"})
          .field(
              "public_url", &Admin::public_url,
              "How browsers reach the console, where a proxy stands in front: "
              "`https://weir.example.com`. With HTTPS the session's cookie is sent over it only.",
              {.as = FieldKind::url, .unset = "as `listen` says"})
          .field("sessions", &Admin::sessions, "How long people stay signed in.")
          .field("oidc", &Admin::oidc, "Let people sign in by an identity provider.",
                 {.unset = "by password only"})
          .done();
  return spec;
}

}  // namespace weir::app
