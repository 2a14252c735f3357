// WebSocket frames as a server sends them, for tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::gateway {

inline std::string frame(uint8_t opcode, std::string_view payload, bool final = true) {
  std::string bytes;
  bytes += static_cast<char>((final ? 0x80 : 0) | opcode);
  const int length_bytes = payload.size() < 126 ? 0 : payload.size() < 65'536 ? 2 : 8;
  bytes += static_cast<char>(length_bytes == 0 ? payload.size() : length_bytes == 2 ? 126 : 127);
  for (int i = length_bytes - 1; i >= 0; --i) {
    bytes += static_cast<char>(payload.size() >> (8 * i) & 0xff);
  }
  bytes += payload;
  return bytes;
}

inline std::string text_frame(std::string_view payload) {
  return frame(0x1, payload);
}

}  // namespace weir::gateway
