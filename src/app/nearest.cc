#include "app/nearest.h"

#include <fmt/format.h>

#include <optional>

#include "base/text.h"

namespace weir::app {

std::string did_you_mean(std::string_view name, const std::vector<std::string_view>& candidates) {
  const std::optional<std::string_view> found = nearest(name, candidates);
  return found ? fmt::format("; did you mean \"{}\"?", *found) : std::string();
}

}  // namespace weir::app
