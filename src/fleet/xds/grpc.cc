#include "fleet/xds/grpc.h"

#include <algorithm>

#include "base/text.h"

namespace weir::fleet::xds {

std::optional<std::string_view> FrameReader::next(std::string_view encoding) {
  if (fault_) return std::nullopt;
  in_.erase(0, taken_);
  taken_ = 0;
  if (in_.size() < kFrameHeadBytes) return std::nullopt;
  const auto flag = static_cast<uint8_t>(in_[0]);
  size_t size = 0;
  for (size_t i = 1; i < kFrameHeadBytes; ++i) size = size << 8 | static_cast<uint8_t>(in_[i]);
  if (flag > 1) {
    fault_ = {GrpcStatus::internal, "a message's first byte is neither 0 nor 1"};
  } else if (flag == 1 && (encoding.empty() || encoding == "identity")) {
    fault_ = {GrpcStatus::internal, "a message says it is compressed, the request does not"};
  } else if (flag == 1) {
    fault_ = {GrpcStatus::unimplemented, "compressed messages are not understood"};
  } else if (size > message_max_) {
    fault_ = {GrpcStatus::resource_exhausted,
              "a message is longer than " + std::to_string(message_max_) + " bytes"};
  }
  if (fault_ || in_.size() < kFrameHeadBytes + size) return std::nullopt;
  taken_ = kFrameHeadBytes + size;
  return std::string_view(in_).substr(kFrameHeadBytes, size);
}

std::string frame_head(size_t message_bytes) {
  std::string head(1, '\0');
  for (const int shift : {24, 16, 8, 0}) head.push_back(static_cast<char>(message_bytes >> shift));
  return head;
}

std::optional<Nanoseconds> parse_timeout(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  int64_t value = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  switch (text.back()) {
    case 'H':
      return std::chrono::hours(std::min<int64_t>(value, 1'000'000));  // fits, and is forever
    case 'M':
      return std::chrono::minutes(value);
    case 'S':
      return std::chrono::seconds(value);
    case 'm':
      return std::chrono::milliseconds(value);
    case 'u':
      return std::chrono::microseconds(value);
    case 'n':
      return Nanoseconds(value);
    default:
      return std::nullopt;
  }
}

bool is_grpc(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  return equals_ignore_case(content_type, "application/grpc") ||
         equals_ignore_case(content_type, "application/grpc+proto");
}

std::string status_text(GrpcStatus status) {
  return std::to_string(static_cast<int>(status));
}

std::string encode_message(std::string_view message) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : message) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte >= 0x20 && byte <= 0x7e && byte != '%') {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  return out;
}

}  // namespace weir::fleet::xds
