// What the two programs of this room do around their loop: raise the limit of descriptors, read
// files, and say what a person typed wrong. Start-up code; the main thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace weir::sim {

// To the hard limit; gives the number of descriptors that may be open.
uint64_t raise_descriptor_limit();
// io_error names the file.
Result<std::string> read_file(const std::string& path);
Result<void> write_file(const std::string& path, std::string_view text);

// "250ms", "20s", "1.5m", "2h"; a bare number is seconds. invalid_argument.
Result<Nanoseconds> parse_duration(std::string_view text);
// "0.05" or "5%".
Result<double> parse_share(std::string_view text);
// A number of at least 0, decimals allowed.
std::optional<double> parse_number(std::string_view text);

}  // namespace weir::sim
