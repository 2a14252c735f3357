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
  // What may stand at the current place, behind any white space.
  enum class Next : uint8_t {
    value,
    value_or_close,
    key,
    key_or_close,
    comma_or_close,
    end,
    failed
  };

  Next step(Next next);
  Next read_value();
  Next read_string_value();
  Next read_number();
  Next read_literal(std::string_view word, Type type);
  Next read_key(bool may_close);
  Next read_comma_or_close();
  Next open(Type type);
  Next close();
  Next after_value() const;

  bool read_string();  // at a quote; adds the node
  bool read_escape();  // at a backslash
  bool read_digits();
  bool add_node(const char* begin, const char* end, Type type, uint32_t count);

  bool keys_are_unique(uint32_t object);
  bool few_keys_are_unique(uint32_t object);
  bool many_keys_are_unique(uint32_t object);
  bool same_key(uint32_t a, uint32_t b);
  std::string_view key_text(uint32_t node, std::string& scratch) const;
  Next repeated_key(uint32_t key);

  void skip_space();
  bool at(char c) const { return place_ < end_ && *place_ == c; }
  bool at_digit() const { return place_ < end_ && *place_ >= '0' && *place_ <= '9'; }
  std::string found() const;
  std::string where(const char* place) const;
  [[gnu::noinline, gnu::cold]] Next expected(std::string_view what);  // invalid_argument at place_
  Next exceeded(std::string_view what);                               // limit_exceeded at place_
  [[gnu::noinline, gnu::cold]] Next too_deep();
  [[gnu::noinline, gnu::cold]] Next too_many();

  Document& document_;
  std::vector<Node>& nodes_;
  const Limits& limits_;
  const char* begin_;
  const char* place_;
  const char* end_;
  uint32_t open_;       // the innermost open container, or kNone
  uint32_t depth_ = 0;  // containers open
  Error error_{ErrorCode::internal};
  std::string key_scratch_[2];
};

}  // namespace weir::json
