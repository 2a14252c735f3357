// Header fields, as views and as owned text. HeaderList is an ordered list of (name, value) views:
// parsing fills it without copying, and an outgoing head is written from it. HeaderMap owns its
// text, for heads that outlive the bytes they were made from. Names compare without case.
// Values only; one thread each. Limits are the parser's (head.h); HeaderMap holds up to 4 GiB.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <forward_list>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"

namespace weir::http {

struct Header {
  std::string_view name;
  std::string_view value;
  // Known to be fit for the wire, as what a parser let through is: not looked at again on the way
  // out.
  bool checked = false;
};

// ASCII comparison without case, as field names and most field tokens compare.
inline bool iequals(std::string_view a, std::string_view b) {
  return a.size() == b.size() && equals_ignore_case(a, b);
}
// Whether a comma-separated field value contains that token (without case).
bool has_token(std::string_view value, std::string_view token);
// Whether name is a token and value holds no control character: what may be put on the wire.
bool valid_name(std::string_view name);
bool valid_value(std::string_view value);

// An ordered list of header views. The text is borrowed: it must outlive the list.
class HeaderList {
 public:
  HeaderList() = default;
  HeaderList(std::initializer_list<Header> headers) {
    for (const Header& header : headers) add(header);
  }

  void add(std::string_view name, std::string_view value) { add({.name = name, .value = value}); }
  void add(const Header& header) {
    if (headers_.capacity() == 0) headers_.reserve(kUsual);
    headers_.push_back(header);
    names_ |= bit_of(header.name);
  }
  void clear() {
    headers_.clear();
    names_ = 0;
  }
  void reserve(size_t count) { headers_.reserve(count); }

  // The first value of that name; nullopt where there is none.
  std::optional<std::string_view> find(std::string_view name) const {
    if ((names_ & bit_of(name)) == 0) return std::nullopt;
    return search(name);
  }
  // The first value of that name, or an empty view.
  std::string_view get(std::string_view name) const { return find(name).value_or(""); }
  size_t count(std::string_view name) const;
  // Whether any field of that name lists that token, e.g. ("connection", "close").
  bool lists(std::string_view name, std::string_view token) const;

  size_t size() const { return headers_.size(); }
  bool empty() const { return headers_.empty(); }
  const Header& operator[](size_t index) const { return headers_[index]; }
  auto begin() const { return headers_.begin(); }
  auto end() const { return headers_.end(); }
  // For moving views, not for changing names.
  auto begin() { return headers_.begin(); }
  auto end() { return headers_.end(); }

 private:
  std::optional<std::string_view> search(std::string_view name) const;

  static constexpr size_t kUsual = 16;
  // Most questions are for fields that are not there: a bit for length, first and last letter says
  // so without a look at the fields.
  static uint64_t bit_of(std::string_view name) {
    if (name.empty()) return 1;
    const auto first = static_cast<unsigned char>(name.front() | 0x20);
    const auto last = static_cast<unsigned char>(name.back() | 0x20);
    return uint64_t{1} << ((name.size() * 7 + first * 3U + last) & 63);
  }

  std::vector<Header> headers_;
  uint64_t names_ = 0;
};

// The fixed names of fields that belong to one connection (RFC 9110 §7.6.1), and framing fields.
bool is_connection_field(std::string_view name);
// Whether a field belongs to one connection and must not be relayed: the fixed hop-by-hop names
// above, and those that `connection` of the same head lists.
bool is_hop_by_hop(const HeaderList& head, std::string_view name);

// The fields of an answer on its way out: views of texts that outlive it, and what it keeps itself.
// Nothing is looked up or replaced; who adds says nothing twice. Stays where it was made, for its
// list has views of its own room. Names are literals.
class AnswerFields {
 public:
  AnswerFields() { list_.reserve(kFieldsUsual); }
  AnswerFields(const AnswerFields&) = delete;
  AnswerFields& operator=(const AnswerFields&) = delete;

  void add(const Header& header) { list_.add(header); }
  // A text that outlives this, fit for the wire or not.
  void add(std::string_view name, std::string_view value) { list_.add(name, value); }
  // One that is known to be fit.
  void add_checked(std::string_view name, std::string_view value) {
    list_.add({.name = name, .value = value, .checked = true});
  }
  void add_number(std::string_view name, int64_t value);
  void add_copy(std::string_view name, std::string value) { add(name, keep(std::move(value))); }
  // Keeps a text as long as this lives.
  std::string_view keep(std::string text) { return copies_.emplace_front(std::move(text)); }

  // The list, once and at the end; its texts stay here.
  HeaderList take() { return std::move(list_); }
  bool has(std::string_view name) const { return list_.find(name).has_value(); }

 private:
  static constexpr size_t kFieldsUsual = 32;
  HeaderList list_;
  std::array<char, 160> room_;  // of numbers
  size_t used_ = 0;
  std::forward_list<std::string> copies_;
};

// Header fields with their own text, in order.
class HeaderMap {
 public:
  HeaderMap() = default;
  explicit HeaderMap(const HeaderList& headers);

  void add(std::string_view name, std::string_view value) { add({.name = name, .value = value}); }
  void add(const Header& header);
  // Replaces every field of that name by one.
  void set(std::string_view name, std::string_view value);
  // Removes every field of that name; returns how many there were.
  size_t erase(std::string_view name);
  void clear();

  std::optional<std::string_view> find(std::string_view name) const;
  std::string_view get(std::string_view name) const { return find(name).value_or(""); }
  size_t size() const { return fields_.size(); }
  Header operator[](size_t index) const;
  // Views into this map, valid until it changes or goes.
  HeaderList list() const;

 private:
  struct Field {
    uint32_t at, name_size, value_size;  // the value stands behind the name
    bool checked;
  };
  std::string text_;
  std::vector<Field> fields_;
};

}  // namespace weir::http
