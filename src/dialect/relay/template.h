// DeltaTemplate: the fast path of the relay meter. Nearly all events of a stream are the event
// before with another piece of text in it, so an event that has been read once becomes a template:
// literal bytes with holes for the text and for counters. An event that fits a template means what
// the first one meant, text apart, and needs no JSON parser: a few memcmp instead.
//
// Exactness: the holes take a JSON string's inside (no control character) or digits and nothing
// else, and every other byte must be the same; so a match is an event of the same structure, never
// a guess. Plain values; belongs to one answer.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json/document.h"

namespace weir::dialect {

// Length in UTF-8 of a JSON string's inside once it is unescaped.
int64_t unescaped_length(std::string_view inside);

class DeltaTemplate {
 public:
  static constexpr size_t kHolesMax = 4;
  static constexpr size_t kBytesMax = 4096;  // larger events are not worth keeping

  struct Match {
    size_t length = 0;       // bytes of the event; 0 = no match
    int64_t text_bytes = 0;  // unescaped length of the text
  };

  bool empty() const { return holes_ == 0; }
  // Learns from the event `raw` (with its blank line), whose text is the string value `text` and
  // whose counters and paddings are `others` (strings or whole numbers; missing ones are skipped).
  // All values lie in `raw` at `document_offset` + Value::offset(). Becomes empty where it cannot.
  void learn(std::string_view raw, size_t document_offset, json::Value text,
             const std::array<json::Value, kHolesMax - 1>& others);
  // Whether `bytes` begin with an event of this form.
  Match match(std::string_view bytes) const;

 private:
  struct Hole {
    uint32_t literal_end = 0;  // of the literal before this hole, in literals_
    bool is_string = false;
    bool is_text = false;
  };
  std::string literals_;
  std::array<Hole, kHolesMax> hole_ = {};
  size_t holes_ = 0;
};

}  // namespace weir::dialect
