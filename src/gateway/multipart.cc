#include "gateway/multipart.h"

#include <algorithm>

#include "http/headers.h"

namespace weir::gateway {
namespace {

constexpr size_t kBoundaryBytesMax = 70;  // RFC 2046 §5.1.1
constexpr size_t kValueBytesMax = 1024;
constexpr size_t kHeadBytesMax = 16 * 1024;  // of one part

// Whether a part's head names that field and is no file.
bool names_field(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    if (!http::iequals(line.substr(0, colon), "content-disposition")) continue;
    if (line.find("filename=") != std::string_view::npos) return false;
    const std::string quoted = "name=\"" + std::string(name) + "\"";
    const std::string bare = "name=" + std::string(name);
    return line.find(quoted) != std::string_view::npos || line.ends_with(bare) ||
           line.find(bare + ";") != std::string_view::npos;
  }
  return false;
}

}  // namespace

std::string multipart_boundary(std::string_view content_type) {
  if (content_type.size() < 20 ||
      !http::iequals(content_type.substr(0, 19), "multipart/form-data")) {
    return {};
  }
  const size_t at = content_type.find("boundary=");
  if (at == std::string_view::npos) return {};
  std::string_view value = content_type.substr(at + 9);
  if (value.starts_with('"')) {
    value.remove_prefix(1);
    value = value.substr(0, value.find('"'));
  } else {
    value = value.substr(0, value.find_first_of("; \t"));
  }
  if (value.empty() || value.size() > kBoundaryBytesMax) return {};
  return std::string(value);
}

MultipartSearch::MultipartSearch(std::string_view boundary, std::string_view name)
    : delimiter_("\r\n--" + std::string(boundary)), name_(name) {}

bool MultipartSearch::look(std::string_view body) {
  if (at_ == At::start) {
    // The first delimiter stands at the very beginning; a preamble nobody sends.
    const std::string first = delimiter_.substr(2) + "\r\n";
    if (!body.starts_with(std::string_view(first).substr(0, body.size()))) at_ = At::end;
    if (at_ == At::end || body.size() < first.size()) return at_ == At::end;
    at_ = At::head;
    begin_ = searched_ = first.size();
  }
  while (at_ != At::end) {
    if (!(at_ == At::head ? look_at_head(body) : look_at_value(body))) return false;
  }
  return true;
}

// False where more is needed.
bool MultipartSearch::look_at_head(std::string_view body) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  const size_t end = body.find(kEnd, searched_);
  if (end == std::string_view::npos) {
    searched_ = std::max(begin_, body.size() - std::min(body.size(), kEnd.size() - 1));
    if (body.size() - begin_ <= kHeadBytesMax) return false;
    at_ = At::end;
    return true;
  }
  wanted_ = names_field(body.substr(begin_, end - begin_), name_);
  begin_ = searched_ = end + kEnd.size();
  at_ = At::value;
  return true;
}

bool MultipartSearch::look_at_value(std::string_view body) {
  const size_t end = body.find(delimiter_, searched_);
  if (end == std::string_view::npos) {
    searched_ = std::max(begin_, body.size() - std::min(body.size(), delimiter_.size() - 1));
    return false;
  }
  searched_ = end;
  if (wanted_ && end - begin_ <= kValueBytesMax) {
    found_ = FieldSpan{begin_, end - begin_};
    at_ = At::end;
    return true;
  }
  const size_t next = end + delimiter_.size();
  if (body.size() < next + 2) return false;
  const bool last = body.substr(next, 2) == "--" || ++parts_ == kPartsMax;
  at_ = last ? At::end : At::head;
  begin_ = searched_ = next + 2;
  return true;
}

std::optional<FieldSpan> find_multipart_field(std::string_view body, std::string_view boundary,
                                              std::string_view name) {
  MultipartSearch search(boundary, name);
  search.look(body);
  return search.found();
}

}  // namespace weir::gateway
