// Rewrites parts of a JSON text and leaves every other byte as it was. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json/document.h"

namespace weir::json {

// Replaces `length` bytes at `offset` by `replacement`. length 0 inserts, an empty replacement
// removes.
struct Edit {
  size_t offset;
  size_t length;
  std::string replacement;
};

// Applies edits, which may come in any order but must not overlap (a bug: asserts).
std::string splice(std::string_view text, std::vector<Edit> edits);

// Edits for the members of one object: set (replace, or append behind the last member), remove
// (with its comma). `json` is the new value's text. All refer to `object`'s document text.
Edit set_member(Value object, std::string_view name, std::string_view json);
// nullopt where there is no such member.
std::optional<Edit> remove_member(Value object, std::string_view name);

}  // namespace weir::json
