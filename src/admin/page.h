// The plain page of a binary that was built without the console (console.h): status, models, newest
// requests. Path, type and bytes. Immutable; any thread.
#pragma once

#include <string_view>

namespace weir::admin {

struct Page {
  std::string_view path;
  std::string_view content_type;
  std::string_view body;
};

// nullptr where there is no such file.
const Page* find_page(std::string_view path);

}  // namespace weir::admin
