// HMAC-SHA256 (RFC 2104) over a text, as lower-case hex: signs what Weir sends to webhooks. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/secret.h"

namespace weir::access {

std::string hmac_sha256_hex(const Secret& key, std::string_view text);

}  // namespace weir::access
