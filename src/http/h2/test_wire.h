// HTTP/2 as bytes, for tests: frames made by hand, right or wrong, and frames read back. Shares no
// code with what it tests but nghttp2's header decompression.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::http::h2::wire {

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Frame {
  uint8_t type = 0;
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string payload;
  Fields fields;  // of HEADERS

  bool ends_stream() const {
    return (type == NGHTTP2_DATA || type == NGHTTP2_HEADERS) &&
           (flags & NGHTTP2_FLAG_END_STREAM) != 0;
  }
  // The error code of RST_STREAM, or of GOAWAY (whose first word is the last stream).
  uint32_t error_code() const;
  uint32_t last_stream() const;
  std::string field(std::string_view name) const;
};

std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload);
std::string word(uint32_t value);
std::string settings(std::initializer_list<std::pair<uint16_t, uint32_t>> values = {});
std::string settings_ack();
std::string ping(std::string_view eight_bytes = "12345678", bool ack = false);
std::string window_update(uint32_t stream, uint32_t by);
std::string rst_stream(uint32_t stream, uint32_t code);
std::string goaway(uint32_t last_stream, uint32_t code);
std::string data(uint32_t stream, std::string_view bytes, bool end = false);
// A header block in literals without indexing.
std::string block(const Fields& fields);
std::string headers(uint32_t stream, const Fields& fields, bool end = false);
// The pseudo-fields of a request, then others.
Fields request(std::string_view method, std::string_view path, const Fields& more = {});

// Reads frames from bytes that come in pieces.
class Reader {
 public:
  Reader();
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  // The whole frames that are there now, in order.
  std::vector<Frame> take(std::string_view bytes);

 private:
  void inflate(Frame& frame);

  std::string rest_;
  nghttp2_hd_inflater* inflater_ = nullptr;
};

}  // namespace weir::http::h2::wire
