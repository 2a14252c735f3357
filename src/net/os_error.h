// errno as an Error: the code a caller may act on, and the system's words for the person.
#pragma once

#include <string_view>

#include "base/result.h"

namespace weir::net {

// "connect to 10.0.0.1:443: Connection refused". ECONNREFUSED, ECONNRESET/EPIPE, ETIMEDOUT and the
// unreachable family have codes of their own (connection_refused, connection_reset, timeout,
// unavailable); everything else is io_error.
Error os_error(int number, std::string_view doing);

}  // namespace weir::net
