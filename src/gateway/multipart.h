// Just enough of multipart/form-data (RFC 7578) to find a small text field at the front of an
// upload, so that the rest can be streamed. Pure functions over untrusted bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace weir::gateway {

// The boundary of a content-type, or empty: not multipart, or none given, or over 70 bytes.
std::string multipart_boundary(std::string_view content_type);

struct FieldSpan {
  size_t offset;  // of the value in the body
  size_t length;
};
// The value of that text field when it lies whole within `body`; only the first kPartsMax parts
// are looked at. Field values over 1 KiB are not taken.
inline constexpr size_t kPartsMax = 64;
std::optional<FieldSpan> find_multipart_field(std::string_view body, std::string_view boundary,
                                              std::string_view name);

}  // namespace weir::gateway
