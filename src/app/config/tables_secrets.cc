// The tables of the keys that what is managed is sealed under, and of where Weir connects to.
#include "app/config/codec.h"

namespace weir::app {
namespace {

constexpr Rule kRequiredName{.required = true, .as = FieldKind::name};

}  // namespace

template <>
const ObjectSpec& spec_of<TransitKey>() {
  static const ObjectSpec spec =
      Table<TransitKey>("Transit", "A key of HashiCorp Vault's Transit engine.")
          .field("address", &TransitKey::address, "Vault's address.",
                 {.required = true, .as = FieldKind::url})
          .field("token", &TransitKey::token, "A token that may encrypt and decrypt with the key.",
                 {.required = true})
          .field("mount", &TransitKey::mount, "Where the engine is mounted.")
          .field("key", &TransitKey::key, "The key's name.", kRequiredName)
          .field("namespace", &TransitKey::name_space, "Of Vault Enterprise.", {.unset = "none"})
          .field("ca_file", &TransitKey::ca_file,
                 "File with the accepted root certificates in PEM form.",
                 {.as = FieldKind::path, .unset = "the system's roots"})
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Secrets>() {
  static const ObjectSpec spec =
      Table<Secrets>("Secrets",
                     "The keys under which accounts made in the console are sealed on disk.")
          .field("key", &Secrets::key,
                 "32 bytes as 64 hexadecimal digits or in base64: `openssl rand -hex 32`. Without "
                 "it, and without `transit`, one is made in `data_dir/secrets.key`.")
          .field("previous_key", &Secrets::previous_key,
                 "The key before, until `weir secrets rewrap` has run.")
          .field("transit", &Secrets::transit,
                 "Wraps the records' keys at Vault; `key`, where there is one, then only opens.")
          .done();
  return spec;
}

template <>
const ObjectSpec& spec_of<Outgoing>() {
  static const ObjectSpec spec =
      Table<Outgoing>("Outgoing", "Where Weir itself may connect to: providers, webhooks, sign-in.")
          .field("internal", &Outgoing::internal,
                 "Hosts that may lie at private, loopback or link-local addresses: names, each "
                 "with all names below it, and addresses. Without it that is for addresses that "
                 "are written down as such, but for link-local ones, and names without a dot.")
          .done();
  return spec;
}

}  // namespace weir::app
