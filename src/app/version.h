// What this binary is: version, commit, how it was built, what it is linked with. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::app {

std::string_view version();  // "0.1.0"
std::string_view commit();   // "1a2b3c4d5e6f", or "unknown" outside a checkout
// "clang 19.1.7, Release, x86_64, address,undefined".
std::string build_description();
// Library and the version that is loaded now, as it names itself.
std::vector<std::pair<std::string, std::string>> linked_libraries();

}  // namespace weir::app
