// Reads the text of a number that follows the JSON grammar. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::json {

// The number where it is whole and fits, however it is written: 100, 1e2, 100.0 and 1000e-1 are
// all 100. Exact: no floating point in between.
std::optional<int64_t> read_int64(std::string_view number);

// The nearest double; nullopt where that would be infinite. Too small to represent is zero.
std::optional<double> read_double(std::string_view number);

}  // namespace weir::json
