// Writes JSON text by appending to a string: no tree in between. Commas and quotes are placed by
// the writer; the caller opens and closes. Misuse (a value without a key inside an object) is a
// bug and asserts in debug builds. One thread.
//
//   Writer w(out);
//   w.begin_object().key("model").string(name).key("n").number(1).end_object();
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::json {

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  Writer& begin_object();
  Writer& end_object();
  Writer& begin_array();
  Writer& end_array();
  Writer& key(std::string_view name);
  Writer& string(std::string_view text);  // escaped; invalid UTF-8 becomes U+FFFD
  Writer& number(int64_t value);
  Writer& number(int value) { return number(static_cast<int64_t>(value)); }
  Writer& number(double value);  // shortest text that reads back the same; non-finite is null
  Writer& boolean(bool value);
  Writer& null();
  // Appends text that is already valid JSON, such as Value::raw().
  Writer& raw(std::string_view json);

  // key() and a value in one.
  Writer& member(std::string_view name, std::string_view text) { return key(name).string(text); }
  Writer& member(std::string_view name, const char* text) { return key(name).string(text); }
  Writer& member(std::string_view name, int64_t value) { return key(name).number(value); }
  Writer& member(std::string_view name, int value) { return key(name).number(value); }
  Writer& member(std::string_view name, bool value) { return key(name).boolean(value); }
  Writer& member_raw(std::string_view name, std::string_view json) { return key(name).raw(json); }

 private:
  void separate();
  std::string& out_;
  bool needs_comma_ = false;
};

// Appends text with JSON escapes and surrounding quotes.
void append_quoted(std::string& out, std::string_view text);
// The same as a value.
std::string quoted(std::string_view text);

}  // namespace weir::json
