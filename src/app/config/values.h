// The written forms of configuration values: reads and prints durations, sizes, shares, moments,
// addresses and URLs. Every reader refuses what it does not understand whole; its message says what
// was expected and never repeats the text, which may be a secret. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "app/config/config.h"
#include "base/clock.h"
#include "base/money.h"
#include "base/result.h"

namespace weir::app {

// "500ms", "2s", "1m30s", "12h", "7d": whole numbers with units, or one decimal number with a unit
// ("1.5s"). At most 100 years.
Result<Milliseconds> parse_duration(std::string_view text);
std::string format_duration(Milliseconds duration);

// "100MiB", "64KiB", "10MB", "1048576" (bytes). Powers of 1,024 with an i, of 1,000 without.
Result<uint64_t> parse_size(std::string_view text);
std::string format_size(uint64_t bytes);

// "10%", "0.5%", or a fraction from "0" to "1".
Result<Percent> parse_percent(std::string_view text);
std::string format_percent(Percent percent);

// "2026-05-01" (midnight UTC) or RFC 3339: "2026-05-01T12:00:00Z", "...+02:00". Years 1970 to 9999.
Result<Moment> parse_moment(std::string_view text);
std::string format_moment(Moment moment);

// "127.0.0.1:8080", "[::1]:8080", "localhost:8080", ":8080" or "*:8080" (every interface).
Result<ListenAddress> parse_listen(std::string_view text);

// A whole number; underscores may group the digits.
Result<int64_t> parse_integer(std::string_view text);

// "true" or "false", and nothing else.
Result<bool> parse_boolean(std::string_view text);

// Dollars as an exact decimal: "0.15", at most nine decimals.
Result<Money> parse_dollars(std::string_view text);

// An http or https address without user, query or fragment; returned without trailing slashes.
Result<std::string> parse_url(std::string_view text);

}  // namespace weir::app
