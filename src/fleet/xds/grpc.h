// What gRPC adds to HTTP/2 (grpc/grpc doc/PROTOCOL-HTTP2.md), for the server's side of a call:
// messages in frames of five bytes and a payload, statuses in trailers, deadlines in a field.
// Values only; one thread each.
//
// Limits: `message_max` bytes a message; what has come and not been taken is at most one message
// and the piece that was pushed last. Compression is not offered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "http/head.h"

namespace weir::fleet::xds {

enum class GrpcStatus : uint8_t {
  ok = 0,
  invalid_argument = 3,
  deadline_exceeded = 4,
  resource_exhausted = 8,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
};

// How a call ends.
struct GrpcEnd {
  GrpcStatus status = GrpcStatus::ok;
  std::string message;

  bool operator==(const GrpcEnd&) const = default;
};

// Takes the messages out of a request's body as it comes.
class FrameReader {
 public:
  explicit FrameReader(size_t message_max) : message_max_(message_max) {}

  void push(std::string_view piece) { in_.append(piece); }
  // The next whole message, valid until the next call; nothing when it has not all come, or never
  // will: see fault(). `encoding` is the request's grpc-encoding.
  std::optional<std::string_view> next(std::string_view encoding);
  const std::optional<GrpcEnd>& fault() const { return fault_; }
  // Whether the body may end here.
  bool between_messages() const { return in_.size() == taken_; }

 private:
  size_t message_max_;
  std::string in_;
  size_t taken_ = 0;
  std::optional<GrpcEnd> fault_;
};

inline constexpr size_t kFrameHeadBytes = 5;
// The five bytes before a message that is not compressed.
std::string frame_head(size_t message_bytes);

// The field grpc-timeout: at most eight digits and a unit. nullopt where it is malformed.
std::optional<Nanoseconds> parse_timeout(std::string_view text);

// Whether content-type says gRPC with protobuf: anything else is answered with 415.
bool is_grpc(std::string_view content_type);

// The number of a status, and its message percent-encoded, as the trailers carry them.
std::string status_text(GrpcStatus status);
std::string encode_message(std::string_view message);

}  // namespace weir::fleet::xds
