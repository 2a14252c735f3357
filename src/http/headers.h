// Header fields, as views and as owned text. HeaderList is an ordered list of (name, value) views:
// parsing fills it without copying, and an outgoing head is written from it. HeaderMap owns its
// text, for heads that outlive the bytes they were made from. Names compare without case.
// Values only; one thread each. Limits are the parser's (head.h); HeaderMap holds up to 4 GiB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace weir::http {

struct Header {
  std::string_view name;
  std::string_view value;
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
  HeaderList(std::initializer_list<Header> headers) : headers_(headers) {}

  void add(std::string_view name, std::string_view value) { headers_.push_back({name, value}); }
  void clear() { headers_.clear(); }
  void reserve(size_t count) { headers_.reserve(count); }

  // The first value of that name; nullopt where there is none.
  std::optional<std::string_view> find(std::string_view name) const;
  // The first value of that name, or an empty view.
  std::string_view get(std::string_view name) const { return find(name).value_or(""); }
  size_t count(std::string_view name) const;
  // Whether any field of that name lists that token, e.g. ("connection", "close").
  bool lists(std::string_view name, std::string_view token) const;

  size_t size() const { return headers_.size(); }
  bool empty() const { return headers_.empty(); }
  const Header& operator[](size_t index) const { return headers_[index]; }
  Header& operator[](size_t index) { return headers_[index]; }
  auto begin() const { return headers_.begin(); }
  auto end() const { return headers_.end(); }
  auto begin() { return headers_.begin(); }
  auto end() { return headers_.end(); }

 private:
  std::vector<Header> headers_;
};

// The fixed names of fields that belong to one connection (RFC 9110 §7.6.1), and framing fields.
bool is_connection_field(std::string_view name);
// Whether a field belongs to one connection and must not be relayed: the fixed hop-by-hop names
// above, and those that `connection` of the same head lists.
bool is_hop_by_hop(const HeaderList& head, std::string_view name);

// Header fields with their own text, in order.
class HeaderMap {
 public:
  HeaderMap() = default;
  explicit HeaderMap(const HeaderList& headers);

  void add(std::string_view name, std::string_view value);
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
    uint32_t name_at, name_size, value_at, value_size;
  };
  std::string text_;
  std::vector<Field> fields_;
};

}  // namespace weir::http
