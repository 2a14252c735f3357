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

// Applies edits, which may come in any order but must not overlap (a bug: the process stops).
// Insertions at one place come out in the order given, in front of what replaces bytes there.
std::string splice(std::string_view text, std::vector<Edit> edits);

// Any mixture of changes to the members of one object: set (replace, or append behind the last
// member), remove (with its comma). The last change to a name counts; `json` is the new value's
// text. A value inside the object may be edited apart unless it is replaced or removed here.
//
//   std::vector<Edit> edits;
//   ObjectEditor(root).set("model", "\"gpt-x\"").remove("user").append_to(edits);
//   body = splice(root_text, std::move(edits));
class ObjectEditor {
 public:
  explicit ObjectEditor(Value object);  // asserts is_object()
  ObjectEditor& set(std::string_view name, std::string_view json);
  ObjectEditor& remove(std::string_view name);
  // Adds what is to be done to `edits`; they refer to the object's document text.
  void append_to(std::vector<Edit>& edits) const;

 private:
  struct Change {
    std::string name;
    std::string json;
    bool remove;
  };
  ObjectEditor& change(std::string_view name, std::string_view json, bool remove);
  Value object_;
  std::vector<Change> changes_;
};

// One change as one edit, for when it is the only one to this object: two of them may overlap.
Edit set_member(Value object, std::string_view name, std::string_view json);
// nullopt where there is no such member.
std::optional<Edit> remove_member(Value object, std::string_view name);

}  // namespace weir::json
