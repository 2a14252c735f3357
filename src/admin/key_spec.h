// What a request of the admin API says of a virtual key, as the key store keeps it.
#pragma once

#include "access/key_store.h"
#include "base/json/document.h"
#include "base/result.h"

namespace weir::admin {

// `spec` with what the body says: members that are absent stay as they are, null takes out, the
// objects `limits`, `user_limits` and `tags` are merged by member, lists are replaced. Errors:
// invalid_argument for a member that is not known or not understood; nothing is guessed.
Result<access::KeySpec> read_key_spec(json::Value body, access::KeySpec spec);

}  // namespace weir::admin
