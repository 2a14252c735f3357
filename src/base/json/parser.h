// The one pass behind Document::parse: a state machine with no recursion. Containers that are open
// are linked through their nodes, so nesting costs no stack. One thread; lives for one parse.
#pragma once

#include <string>
#include <string_view>

#include "base/json/document.h"

namespace weir::json {

class Parser {
 public:
  Parser(Document& document, const Limits& limits);
  Result<void> run();

 private:
  using Node = Document::Node;
  // How a step ended; where it failed, error_ says why.
  enum class Step : uint8_t { done, failed };

  Step fill();
  [[gnu::noinline]] const char* end_of_string(const char* quote, uint32_t& escaped);
  bool read_escape();  // at a backslash, place_
  bool utf8_is_valid(const char* quote, const char* end);
  // Room for one more node: false at the limit.
  bool more_room();

  bool keys_are_unique(uint32_t object);
  bool few_keys_are_unique(uint32_t object);
  bool many_keys_are_unique(uint32_t object);
  bool same_key(uint32_t a, uint32_t b);
  std::string_view key_text(uint32_t node, std::string& scratch) const;
  void repeated_key(uint32_t key);

  bool at(char c) const { return place_ < end_ && *place_ == c; }
  std::string found() const;
  std::string where(const char* place) const;
  // Texts are made up out of the way: a formatting call in a hot function costs it a stack frame.
  // invalid_argument at `place`
  [[gnu::noinline, gnu::cold]] Step expected(const char* place, std::string_view what);
  [[gnu::noinline, gnu::cold]] Step exceeded(std::string_view what);  // limit_exceeded at place_
  [[gnu::noinline, gnu::cold]] Step too_deep(const char* place);

  Document& document_;
  const Limits& limits_;
  const char* begin_;
  const char* place_;
  const char* end_;
  Node* nodes_;            // the document's
  uint32_t count_ = 0;     // nodes in use, while no step holds it
  uint32_t capacity_ = 0;  // of nodes_, within the limit
  Error error_{ErrorCode::internal};
  std::string key_scratch_[2];
};

}  // namespace weir::json
