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

// Looks for one text field while the body comes in: every byte is looked at once, however many
// pieces it comes in. Only the first kPartsMax parts are looked at; field values over 1 KiB are not
// taken.
class MultipartSearch {
 public:
  static constexpr size_t kPartsMax = 64;

  MultipartSearch(std::string_view boundary, std::string_view name);
  // `body` is the body so far: the same text as before, longer. True once it is decided: the field
  // was found, or cannot come any more.
  bool look(std::string_view body);
  const std::optional<FieldSpan>& found() const { return found_; }

 private:
  enum class At : uint8_t { start, head, value, end };
  bool look_at_head(std::string_view body);
  bool look_at_value(std::string_view body);

  const std::string delimiter_;  // CRLF "--" boundary
  const std::string name_;
  At at_ = At::start;
  size_t begin_ = 0;     // of the head or value that is being looked at
  size_t searched_ = 0;  // its end does not lie before this
  bool wanted_ = false;  // the value is the field's
  size_t parts_ = 0;
  std::optional<FieldSpan> found_;
};

// The same over a body that is all there.
std::optional<FieldSpan> find_multipart_field(std::string_view body, std::string_view boundary,
                                              std::string_view name);

}  // namespace weir::gateway
