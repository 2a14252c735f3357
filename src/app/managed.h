// What is managed beside the file: accounts and models that an administrator made in the console or
// by the shell, sealed in data_dir/vault.db (vault/records.h). They are objects of the
// configuration like those of the file, read by the same tables, and stand for what they say alone:
// no ${NAME}, no file of this machine. Control-plane threads.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/config.h"
#include "app/config/surroundings.h"
#include "base/json/document.h"
#include "vault/records.h"

namespace weir::app {

// The current key is the one of `transit`, else `key`, else the directory's own; all others that
// are there open what they sealed. Errors: those of the keys.
Result<std::shared_ptr<vault::KeyRing>> make_ring(const Secrets& secrets,
                                                  const std::string& data_dir);

// "account" and "accounts": how a kind is called in the store and in the file.
std::string_view section_of_kind(std::string_view kind);

// Errors: permission_denied with the name of the first record that does not open: to go on without
// it would change what is served.
Result<std::vector<ManagedItem>> managed_items(vault::Records& records);

// An object as one may store it: with its name, without what stands for something of this machine
// ("file:", paths). Errors: invalid_argument.
Result<void> check_managed(std::string_view kind, json::Value object);

// `before` with the members of `change`: null takes one out, an object is merged.
std::string merged(json::Value before, json::Value change);

// The object of the configuration in force, every default filled in, secrets as "<secret>": JSON,
// or "" where there is none of that name.
std::string shown(const Config& config, std::string_view kind, std::string_view name);

}  // namespace weir::app
