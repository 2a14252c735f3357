// Skimming: a few members of the root object without an index of the whole text. What lies between
// them is stepped over 16 bytes at a time and not validated, so it is for texts that somebody else
// reads again, such as a provider's answer on its way to the client. Pure; any thread.
#pragma once

#include <span>
#include <string_view>

namespace weir::json {

// The source text of the root object's members of those names (the first where one is repeated),
// empty where there is none. Names are compared as they stand in the source, escapes included.
// False where the text is no object that closes at its end.
bool skim(std::string_view text, std::span<const std::string_view> names,
          std::span<std::string_view> values);

}  // namespace weir::json
