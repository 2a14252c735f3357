#include "gateway/multipart.h"

#include "http/headers.h"

namespace weir::gateway {
namespace {

constexpr size_t kBoundaryBytesMax = 70;  // RFC 2046 §5.1.1
constexpr size_t kValueBytesMax = 1024;

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

std::optional<FieldSpan> find_multipart_field(std::string_view body, std::string_view boundary,
                                              std::string_view name) {
  const std::string first = "--" + std::string(boundary) + "\r\n";
  const std::string delimiter = "\r\n--" + std::string(boundary);
  if (!body.starts_with(first)) return std::nullopt;
  size_t at = first.size();
  for (size_t part = 0; part < kPartsMax; ++part) {
    const size_t head_end = body.find("\r\n\r\n", at);
    if (head_end == std::string_view::npos) return std::nullopt;
    const size_t value = head_end + 4;
    const size_t end = body.find(delimiter, value);
    if (end == std::string_view::npos) return std::nullopt;
    if (end - value <= kValueBytesMax && names_field(body.substr(at, head_end - at), name)) {
      return FieldSpan{value, end - value};
    }
    at = end + delimiter.size() + 2;  // behind the CRLF (or the closing "--")
    if (at > body.size()) return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace weir::gateway
