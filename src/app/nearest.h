// "Did you mean": the end of a sentence that says a name is not known. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::app {

// "; did you mean \"weight\"?", or nothing where no candidate is near.
std::string did_you_mean(std::string_view name, const std::vector<std::string_view>& candidates);

}  // namespace weir::app
