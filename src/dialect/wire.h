// Small tools that several dialects need: notes of what was dropped, fields read with their type
// checked, data URLs, JSON text made safe to place in a body or on one line. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/json/document.h"
#include "base/result.h"
#include "dialect/conversation.h"

namespace weir::dialect {

// Appends a path that is not there yet.
void note(Dropped& dropped, std::string_view path);

// Appends the names of the members that are not `known` and not null.
void note_unknown_members(Dropped& dropped, json::Value object,
                          std::span<const std::string_view> known);

// "messages[3]" of "messages" and 3; "a.b" of "a" and "b".
std::string at_index(std::string_view path, size_t index);
std::string at_member(std::string_view path, std::string_view name);

// Reads members of client JSON and remembers the first one that has the wrong type. Absent and
// null are the same: nothing given. Usage: read everything, then ask result().
class FieldReader {
 public:
  std::string string(json::Value object, std::string_view name, std::string_view path = {});
  std::optional<int64_t> integer(json::Value object, std::string_view name,
                                 std::string_view path = {});
  std::optional<bool> boolean(json::Value object, std::string_view name,
                              std::string_view path = {});
  // A number's source text; "" where there is none.
  std::string number(json::Value object, std::string_view name, std::string_view path = {});
  // The member where it has that type, else a missing value.
  json::Value object(json::Value parent, std::string_view name, std::string_view path = {});
  json::Value array(json::Value parent, std::string_view name, std::string_view path = {});

  // Says that what stands at `path` is not what was expected.
  void wrong(std::string_view path, std::string_view expected, json::Value got);
  void fail(std::string_view path, std::string_view message);
  bool ok() const { return message_.empty(); }
  // invalid_argument "messages[2].content: expected a string, got a number".
  Error error() const { return {ErrorCode::invalid_argument, message_}; }

 private:
  json::Value member(json::Value parent, std::string_view name, json::Type type,
                     std::string_view expected, std::string_view path);
  std::string message_;
};

// "data:image/png;base64,iVBO..." in its pieces. nullopt for anything else, a data URL that is not
// base64 included.
struct DataUrl {
  std::string_view media_type;
  std::string_view data;
};
std::optional<DataUrl> parse_data_url(std::string_view url);
std::string data_url(std::string_view media_type, std::string_view base64);

// Tool arguments as the text of a JSON object: blank is "{}"; what is no object (a model's broken
// JSON in the history) becomes {"raw_arguments": "..."}, so that the next model sees what was said
// and the body stays well formed.
std::string object_text(std::string_view json);
// Whether the text is one valid JSON value.
bool is_json(std::string_view text);
// Valid JSON without the white space between its tokens: fits one line.
std::string compact_json(std::string_view json);

// Letters, digits, '_' and '-' stay and everything else becomes '_': ids and names for APIs that
// accept no more. The same text gives the same id, so calls and results still meet.
std::string plain_id(std::string_view id);
// Whether `name` is 1..`length_max` letters, digits, '_' and '-'.
bool is_plain_name(std::string_view name, size_t length_max);

// Joins the text parts, and forgets the others.
std::string joined_text(const std::vector<Part>& parts, std::string_view separator);

}  // namespace weir::dialect
