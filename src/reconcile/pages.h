// JSON documents of an export: one, an array of them, or one a line.
#pragma once

#include <fmt/format.h>

#include <string_view>

#include "base/json/document.h"
#include "base/result.h"
#include "base/text.h"

namespace weir::reconcile {

template <class Visit>
Result<void> for_each_page(std::string_view text, const Visit& visit) {
  json::Document document;
  if (document.parse(text)) {
    if (!document.root().is_array()) return visit(document.root());
    for (const json::Value& page : document.root().elements()) WEIR_CHECK_OK(visit(page));
    return {};
  }
  size_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.empty()) continue;
    if (auto parsed = document.parse(line); !parsed) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("line {}: {}", number, parsed.error().message()));
    }
    WEIR_CHECK_OK(visit(document.root()));
  }
  return {};
}

}  // namespace weir::reconcile
