#include "http/headers.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "http/chars.h"

namespace weir::http {

bool has_token(std::string_view value, std::string_view token) {
  while (!value.empty()) {
    const size_t comma = value.find(',');
    if (iequals(trim(value.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    value.remove_prefix(comma + 1);
  }
  return false;
}

bool valid_name(std::string_view name) {
  bool valid = !name.empty();
  for (const char c : name) valid &= is_token_char(c);  // names are short: no early end
  return valid;
}

bool valid_value(std::string_view value) {
  const char* end = value.data() + value.size();
  return find_bad_in_value(value.data(), end) == end;
}

std::optional<std::string_view> HeaderList::search(std::string_view name) const {
  for (const Header& header : headers_) {
    if (iequals(header.name, name)) return header.value;
  }
  return std::nullopt;
}

size_t HeaderList::count(std::string_view name) const {
  return static_cast<size_t>(
      std::ranges::count_if(headers_, [&](const Header& h) { return iequals(h.name, name); }));
}

bool HeaderList::lists(std::string_view name, std::string_view token) const {
  return std::ranges::any_of(headers_, [&](const Header& header) {
    return iequals(header.name, name) && has_token(header.value, token);
  });
}

bool is_connection_field(std::string_view name) {
  // By length first: most names are told by it.
  switch (name.size()) {
    case 2:
      return iequals(name, "te");
    case 7:
      return iequals(name, "trailer") || iequals(name, "upgrade");
    case 10:
      return iequals(name, "connection") || iequals(name, "keep-alive");
    case 14:
      return iequals(name, "content-length") || iequals(name, "http2-settings");
    case 16:
      return iequals(name, "proxy-connection");
    case 17:
      return iequals(name, "transfer-encoding");
    case 19:
      return iequals(name, "proxy-authorization");
    default:
      return false;
  }
}

bool is_hop_by_hop(const HeaderList& head, std::string_view name) {
  return is_connection_field(name) || head.lists("connection", name);
}

void AnswerFields::add_number(std::string_view name, int64_t value) {
  if (room_.size() - used_ < 20) return add_copy(name, std::to_string(value));
  char* const from = room_.data() + used_;
  char* const end = std::to_chars(from, room_.data() + room_.size(), value).ptr;
  used_ += static_cast<size_t>(end - from);
  add_checked(name, {from, static_cast<size_t>(end - from)});
}

HeaderMap::HeaderMap(const HeaderList& headers) {
  for (const Header& header : headers) add(header);
}

void HeaderMap::add(const Header& header) {
  if (fields_.empty()) {  // of a usual head; an allocator has a short way to up to 1 KiB
    fields_.reserve(24);
    text_.reserve(1000);
  }
  const auto at = static_cast<uint32_t>(text_.size());
  text_.append(header.name).append(header.value);
  fields_.push_back({at, static_cast<uint32_t>(header.name.size()),
                     static_cast<uint32_t>(header.value.size()), header.checked});
}

void HeaderMap::set(std::string_view name, std::string_view value) {
  const auto inside = [this](std::string_view text) {
    return text.data() >= text_.data() && text.data() < text_.data() + text_.size();
  };
  if (inside(name) || inside(value)) {  // add() may move the text that they are views of
    const std::string name_text(name);
    const std::string value_text(value);
    erase(name_text);
    add(name_text, value_text);
    return;
  }
  erase(name);
  add(name, value);
}

size_t HeaderMap::erase(std::string_view name) {
  return std::erase_if(fields_, [&](const Field& field) {
    return field.name_size == name.size() &&
           equals_ignore_case({text_.data() + field.at, field.name_size}, name);
  });
}

void HeaderMap::clear() {
  fields_.clear();
  text_.clear();
}

std::optional<std::string_view> HeaderMap::find(std::string_view name) const {
  for (size_t i = 0; i < fields_.size(); ++i) {
    const Header header = (*this)[i];
    if (iequals(header.name, name)) return header.value;
  }
  return std::nullopt;
}

Header HeaderMap::operator[](size_t index) const {
  const Field& field = fields_[index];
  const char* const name = text_.data() + field.at;
  return {{name, field.name_size}, {name + field.name_size, field.value_size}, field.checked};
}

HeaderList HeaderMap::list() const {
  HeaderList list;
  list.reserve(fields_.size());
  for (size_t i = 0; i < fields_.size(); ++i) {
    list.add((*this)[i]);
  }
  return list;
}

}  // namespace weir::http
