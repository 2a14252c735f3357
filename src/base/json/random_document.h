// Random JSON for tests and fuzzing: a document made from a seed, and a walk that writes any
// document again. Test support; one thread.
#pragma once

#include <string>

#include "base/json/document.h"
#include "base/json/writer.h"
#include "base/random.h"
#include "base/utf8.h"

namespace weir::json {

class RandomDocument {
 public:
  explicit RandomDocument(uint64_t seed) : random_(seed) {}

  // A value of any type with at most `levels` of nesting, written compactly.
  void write_value(Writer& w, int levels) {
    switch (random_.below(levels > 0 ? 9 : 6)) {
      case 0:
        w.null();
        return;
      case 1:
        w.boolean(random_.below(2) == 0);
        return;
      case 2:
        w.number(static_cast<int64_t>(random_.next() >> random_.below(64)));
        return;
      case 3:
        w.number(random_.uniform() * 1000);
        return;
      case 4:
      case 5:
        w.string(text());
        return;
      case 6:
        w.begin_array();
        for (uint32_t left = random_.below(6); left > 0; --left) write_value(w, levels - 1);
        w.end_array();
        return;
      default:
        write_object(w, levels);
        return;
    }
  }

  void write_object(Writer& w, int levels) {
    const uint32_t members = random_.below(random_.below(10) == 0 ? 40 : 6);
    w.begin_object();
    for (uint32_t i = 0; i < members; ++i) {
      w.key(text() + std::to_string(i));  // the number keeps names apart
      write_value(w, levels - 1);
    }
    w.end_object();
  }

  // Short text with characters of every length and things to escape.
  std::string text() {
    std::string out;
    for (uint32_t left = random_.below(12); left > 0; --left) {
      switch (random_.below(5)) {
        case 0:
          append_utf8(out, random_.below(0x20));
          break;
        case 1:
          append_utf8(out, random_.below(0x110000));
          break;
        case 2:
          out += "\\\""[random_.below(2)];
          break;
        default:
          append_utf8(out, 'a' + random_.below(26));
          break;
      }
    }
    return out + "|";
  }

  Random& random() { return random_; }

 private:
  Random random_;
};

// Writes the value again from what the accessors say. Only for documents of bounded depth.
inline void write_again(Writer& w, Value value) {
  switch (value.type()) {
    case Type::null:
      w.null();
      return;
    case Type::boolean:
      w.boolean(*value.as_bool());
      return;
    case Type::number:
      w.raw(value.raw());
      return;
    case Type::string:
      w.string(*value.as_string());
      return;
    case Type::array:
      w.begin_array();
      for (const Value element : value.elements()) write_again(w, element);
      w.end_array();
      return;
    case Type::object:
      w.begin_object();
      for (const auto& [key, member] : value.members()) {
        w.key(key);
        write_again(w, member);
      }
      w.end_object();
      return;
  }
}

// The same document with white space wherever it may stand.
inline std::string spaced_out(std::string_view compact, Random& random) {
  constexpr std::string_view kSpaces[] = {"", " ", "\n", "\t \r\n", "                    "};
  std::string out;
  bool in_string = false;
  const auto space = [&] { out += kSpaces[random.below(std::size(kSpaces))]; };
  for (size_t i = 0; i < compact.size(); ++i) {
    const char c = compact[i];
    const bool mark = !in_string && std::string_view("{}[],:").find(c) != std::string_view::npos;
    if (mark) space();
    out.push_back(c);
    if (mark) space();
    if (in_string && c == '\\') {
      out.push_back(compact[++i]);
    } else if (c == '"') {
      in_string = !in_string;
    }
  }
  return out;
}

}  // namespace weir::json
