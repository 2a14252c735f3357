// Fetches one public document by GET: https only, no redirects, never from an address of this
// machine or its networks. For commands; runs a loop of its own. Limits: 64 MiB, a minute of
// silence.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "net/dialer.h"

namespace weir::app {

// Errors: invalid_argument (no https address), permission_denied (an internal address),
// limit_exceeded, unavailable (another status than 200), and those of the connection.
Result<std::string> download(std::string_view url);

// The same over a dialer and loop of the caller: for tests.
net::Task<Result<std::string>> download_over(net::Loop& loop, net::Dialer& dialer,
                                             const std::string& url);

}  // namespace weir::app
