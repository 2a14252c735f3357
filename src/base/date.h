// Points in time as text: RFC 3339 for logs, ledgers and APIs, and HTTP dates (RFC 9110, section
// 5.6.7) for headers. Always UTC, years 1970 to 9999. Pure; any thread; no locale, no time zone
// data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

// Milliseconds since the Unix epoch as "2026-11-22T14:33:17.123Z". Times outside 1970 to 9999 are
// held at the nearest end.
std::string rfc3339(int64_t wall_ms);
// Appends the same.
void append_rfc3339(std::string& out, int64_t wall_ms);
// Any offset ("Z", "+02:00") and any number of decimals, of which three count. A leap second
// (":60") reads as the second behind it.
std::optional<int64_t> parse_rfc3339(std::string_view text);

// Milliseconds since the Unix epoch as "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(int64_t wall_ms);
// All three forms that a recipient must accept: IMF-fixdate, RFC 850, asctime. A two-digit year is
// taken as 1970 to 2069.
std::optional<int64_t> parse_http_date(std::string_view text);

}  // namespace weir
