// A strict JSON reader (RFC 8259) for untrusted bytes. One pass validates the whole text (UTF-8
// included) and leaves an index of nodes over it: no value is copied, every value's exact source
// bytes can be had back with raw(), so numbers, key order and unknown members survive untouched.
//
// A Document owns the index and refers to the caller's text, which must outlive it. Parsing again
// reuses the memory. Values are two-word handles into a Document. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace weir::json {

struct Limits {
  uint32_t depth_max = 128;        // nesting of objects and arrays
  uint32_t nodes_max = 4'000'000;  // values and keys in one document
  // A member name that occurs twice in one object is refused at nesting levels below this one
  // (level 0 is the root object): readers differ on which one counts, so neither is safe to act on.
  uint32_t unique_keys_levels = 128;
};

enum class Type : uint8_t { null, boolean, number, string, array, object };

class Document;

class Value {
 public:
  // A missing value: exists() is false, every accessor answers as for an absent member.
  Value() = default;

  bool exists() const { return document_ != nullptr; }
  explicit operator bool() const { return exists(); }
  Type type() const;  // Type::null for a missing value too
  bool is_null() const { return exists() && type() == Type::null; }
  bool is_object() const { return exists() && type() == Type::object; }
  bool is_array() const { return exists() && type() == Type::array; }
  bool is_string() const { return exists() && type() == Type::string; }
  bool is_number() const { return exists() && type() == Type::number; }
  bool is_bool() const { return exists() && type() == Type::boolean; }

  // The value's bytes exactly as they stand in the source (strings with their quotes).
  std::string_view raw() const;
  // Where raw() begins in the source, in bytes.
  size_t offset() const;

  // The member of that name, or a missing value (also when this is no object). The first one where
  // Limits::unique_keys_levels let several pass.
  Value operator[](std::string_view name) const;
  // Number of elements or members; 0 for anything else.
  uint32_t size() const;

  std::optional<bool> as_bool() const;
  // Whole numbers in range only: 1 and 1.0 and 1e2 are whole, 1.5 and 1e30 are not.
  std::optional<int64_t> as_int64() const;
  std::optional<double> as_double() const;
  // Unescaped text; nullopt unless a string. Lone surrogates become U+FFFD.
  std::optional<std::string> as_string() const;
  // The text between the quotes where it holds no escape, else nullopt: the way without a copy.
  std::optional<std::string_view> as_plain_string() const;
  // as_string() or the fallback.
  std::string string_or(std::string_view fallback) const;
  // Equality of a string with text, without allocating where there is no escape.
  bool equals(std::string_view text) const;

  // Iteration: for (auto [key, value] : object.members()), for (auto v : array.elements()).
  // Both are empty for values of another type. Keys come unescaped.
  class Members;
  class Elements;
  Members members() const;
  Elements elements() const;
  // Calls take(std::string_view) with the inside of every string from here down, as it stands in
  // the source, names of members included: the order of the source, and no recursion.
  template <class Take>
  void each_string(const Take& take) const;

 private:
  friend class Document;
  Value find(std::string_view name) const;
  Value(const Document* document, uint32_t node) : document_(document), node_(node) {}
  const Document* document_ = nullptr;
  uint32_t node_ = 0;
};

class Document {
 public:
  Document() = default;
  ~Document();
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;

  // Errors: invalid_argument with position ("at byte 17 (line 2): expected ',' or '}'"),
  // limit_exceeded where a limit was reached. After an error root() is missing.
  Result<void> parse(std::string_view text, const Limits& limits = {});
  Value root() const;
  std::string_view text() const { return text_; }

 private:
  friend class Value;
  friend class Parser;
  struct Node {
    uint32_t begin;  // source offset of the first byte
    uint32_t end;    // source offset behind the last byte
    uint32_t next;   // index of the node behind this subtree
    uint32_t count;  // elements or members; for a string 1 when it holds an escape
    uint32_t sizes;  // of an object: the bits (see bit_of) of its members' names' lengths
    Type type;
  };
  static uint32_t bit_of(size_t length) { return uint32_t{1} << (length & 31); }
  // Memory of an index: grows without being cleared, as every node is written whole.
  struct Room {
    std::unique_ptr<Node[]> nodes;
    uint32_t capacity = 0;

    void grow(uint32_t kept, uint32_t at_least);
  };
  struct Spares;
  static Spares& spares();

  std::string_view text_;
  Room room_;
  uint32_t count_ = 0;  // nodes in use
};

inline Type Value::type() const {
  return exists() ? document_->room_.nodes[node_].type : Type::null;
}

inline std::string_view Value::raw() const {
  if (!exists()) return {};
  const Document::Node& node = document_->room_.nodes[node_];
  return {document_->text_.data() + node.begin, node.end - node.begin};
}

// Most objects are asked for names that they do not have: their lengths tell.
inline Value Value::operator[](std::string_view name) const {
  if (!is_object()) return {};
  const uint32_t bit = Document::bit_of(name.size());
  return (document_->room_.nodes[node_].sizes & bit) != 0 ? find(name) : Value();
}

template <class Take>
void Value::each_string(const Take& take) const {
  if (!exists()) return;
  const Document::Node* const nodes = document_->room_.nodes.get();
  for (uint32_t at = node_; at < nodes[node_].next; ++at) {
    const Document::Node& node = nodes[at];
    if (node.type != Type::string) continue;
    take(std::string_view(document_->text_.data() + node.begin + 1, node.end - node.begin - 2));
  }
}

struct Member {
  std::string key;
  Value value;
};

// Texts are limited to 4 GiB by the 32-bit offsets; parse() refuses longer ones.

class Value::Elements {
 public:
  class Iterator {
   public:
    Value operator*() const;
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return left_ != other.left_; }

   private:
    friend class Elements;
    const Document* document_ = nullptr;
    uint32_t node_ = 0;
    uint32_t left_ = 0;
  };
  Iterator begin() const;
  Iterator end() const;

 private:
  friend class Value;
  const Document* document_ = nullptr;
  uint32_t node_ = 0;
};

class Value::Members {
 public:
  class Iterator {
   public:
    Member operator*() const;
    Value key() const;  // the name as a string value: raw, or compared without a copy
    Value value() const;
    Iterator& operator++();
    bool operator!=(const Iterator& other) const { return left_ != other.left_; }

   private:
    friend class Members;
    const Document* document_ = nullptr;
    uint32_t node_ = 0;
    uint32_t left_ = 0;
  };
  Iterator begin() const;
  Iterator end() const;

 private:
  friend class Value;
  const Document* document_ = nullptr;
  uint32_t node_ = 0;
};

}  // namespace weir::json
