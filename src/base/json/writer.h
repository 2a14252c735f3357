// Writes JSON text by appending to a string: no tree in between. Commas and quotes are placed by
// the writer; the caller opens and closes. Misuse (a value without a key inside an object) is a
// bug and asserts in debug builds, for the first 64 levels. Values at the outermost level are not
// separated, so one Writer can write several texts into one string. One thread.
//
//   Writer w(out);
//   w.begin_object().key("model").string(name).key("n").number(1).end_object();
#pragma once

#include <concepts>
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
  template <std::integral T>
  Writer& number(T value) {
    static_assert(!std::same_as<T, bool>, "boolean() writes true and false");
    if constexpr (std::signed_integral<T>) return signed_number(value);
    return unsigned_number(value);
  }
  Writer& number(double value);  // shortest text that reads back the same; non-finite is null
  Writer& boolean(bool value);
  Writer& null();
  // Appends text that is already valid JSON, such as Value::raw().
  Writer& raw(std::string_view json);

  // key() and a value in one.
  Writer& member(std::string_view name, std::string_view text) { return key(name).string(text); }
  Writer& member(std::string_view name, const char* text) { return key(name).string(text); }
  template <std::integral T>
  Writer& member(std::string_view name, T value) {
    if constexpr (std::same_as<T, bool>)
      return key(name).boolean(value);
    else
      return key(name).number(value);
  }
  Writer& member(std::string_view name, double value) { return key(name).number(value); }
  Writer& member_raw(std::string_view name, std::string_view json) { return key(name).raw(json); }

 private:
  Writer& signed_number(int64_t value);
  Writer& unsigned_number(uint64_t value);
  void before_value();
  Writer& open(char bracket, bool object);
  Writer& close(char bracket, bool object);
  bool in_object() const;

  std::string& out_;
  uint64_t objects_ = 0;      // bit n: level n + 1 is an object
  uint32_t depth_ = 0;        // containers open
  bool needs_comma_ = false;  // something stands in front on this level
  bool key_written_ = false;  // a key waits for its value
};

// Appends text with JSON escapes and surrounding quotes; invalid UTF-8 becomes U+FFFD.
void append_quoted(std::string& out, std::string_view text);
// The same as a value.
std::string quoted(std::string_view text);

}  // namespace weir::json
