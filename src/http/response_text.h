// Writes response heads for the HTTP/1.1 server. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "http/head.h"

namespace weir::http {

// How the connection goes on after the message, as its head says it.
enum class ConnectionWord : uint8_t { none, close, keep_alive, upgrade };

// One field with its line end, as it is.
void append_field(std::string& out, const Header& field);

// Appends the head with its empty line. Fields that belong to the connection, `date`, and those
// not fit for the wire are left out; the latter are counted by the return value. For framing,
// BodyKind::none and until_close write no field, length and chunked theirs.
size_t append_response_head(std::string& out, const ResponseHead& head, const Framing& framing,
                            ConnectionWord connection, std::string_view date);

}  // namespace weir::http
