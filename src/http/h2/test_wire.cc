#include "http/h2/test_wire.h"

namespace weir::http::h2::wire {

namespace {

uint32_t read_word(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4 && i < bytes.size(); ++i) {
    value = value << 8 | static_cast<uint8_t>(bytes[i]);
  }
  return value;
}

// A string literal of HPACK, without Huffman coding.
void append_literal(std::string& out, std::string_view text) {
  size_t size = text.size();
  if (size < 127) {
    out.push_back(static_cast<char>(size));
  } else {
    out.push_back(127);
    for (size -= 127; size >= 128; size /= 128) out.push_back(static_cast<char>(size % 128 + 128));
    out.push_back(static_cast<char>(size));
  }
  out.append(text);
}

}  // namespace

uint32_t Frame::error_code() const {
  return read_word(std::string_view(payload).substr(type == NGHTTP2_GOAWAY ? 4 : 0));
}

uint32_t Frame::last_stream() const {
  return read_word(payload) & 0x7fffffff;
}

std::string Frame::field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return "";
}

std::string word(uint32_t value) {
  std::string out;
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(value >> shift));
  return out;
}

std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string out = word(static_cast<uint32_t>(payload.size())).substr(1);
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  return out + word(stream) + std::string(payload);
}

std::string settings(std::initializer_list<std::pair<uint16_t, uint32_t>> values) {
  std::string payload;
  for (const auto& [id, value] : values) payload += word(id).substr(2) + word(value);
  return frame(NGHTTP2_SETTINGS, 0, 0, payload);
}
std::string settings_ack() {
  return frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "");
}
std::string ping(std::string_view eight_bytes, bool ack) {
  return frame(NGHTTP2_PING, ack ? NGHTTP2_FLAG_ACK : 0, 0, eight_bytes);
}
std::string window_update(uint32_t stream, uint32_t by) {
  return frame(NGHTTP2_WINDOW_UPDATE, 0, stream, word(by));
}
std::string rst_stream(uint32_t stream, uint32_t code) {
  return frame(NGHTTP2_RST_STREAM, 0, stream, word(code));
}
std::string goaway(uint32_t last_stream, uint32_t code) {
  return frame(NGHTTP2_GOAWAY, 0, 0, word(last_stream) + word(code));
}
std::string data(uint32_t stream, std::string_view bytes, bool end) {
  return frame(NGHTTP2_DATA, end ? NGHTTP2_FLAG_END_STREAM : 0, stream, bytes);
}

std::string block(const Fields& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    out.push_back(0);
    append_literal(out, name);
    append_literal(out, value);
  }
  return out;
}

std::string headers(uint32_t stream, const Fields& fields, bool end) {
  constexpr size_t kFrameMax = 16'384;
  const std::string all = block(fields);
  const auto end_flag = static_cast<uint8_t>(end ? NGHTTP2_FLAG_END_STREAM : 0);
  std::string out;
  for (size_t at = 0; at == 0 || at < all.size(); at += kFrameMax) {
    const bool first = at == 0;
    const bool last = at + kFrameMax >= all.size();
    const auto flags =
        static_cast<uint8_t>((first ? end_flag : 0) | (last ? NGHTTP2_FLAG_END_HEADERS : 0));
    out += frame(first ? NGHTTP2_HEADERS : NGHTTP2_CONTINUATION, flags, stream,
                 std::string_view(all).substr(at, kFrameMax));
  }
  return out;
}

Fields request(std::string_view method, std::string_view path, const Fields& more) {
  Fields fields = {{":method", std::string(method)},
                   {":scheme", "http"},
                   {":authority", "h"},
                   {":path", std::string(path)}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

Reader::Reader() {
  nghttp2_hd_inflate_new(&inflater_);
}

Reader::~Reader() {
  nghttp2_hd_inflate_del(inflater_);
}

void Reader::inflate(Frame& frame) {
  const auto* at = reinterpret_cast<const uint8_t*>(frame.payload.data());
  size_t left = frame.payload.size();
  while (true) {
    nghttp2_nv field{};
    int flags = 0;
    const ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, at, left, 1);
    if (used < 0) break;
    at += used;
    left -= static_cast<size_t>(used);
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      frame.fields.emplace_back(
          std::string(reinterpret_cast<const char*>(field.name), field.namelen),
          std::string(reinterpret_cast<const char*>(field.value), field.valuelen));
    }
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
  }
  nghttp2_hd_inflate_end_headers(inflater_);
}

std::vector<Frame> Reader::take(std::string_view bytes) {
  rest_.append(bytes);
  std::vector<Frame> frames;
  while (rest_.size() >= 9) {
    const size_t size = read_word(std::string(1, '\0') + rest_.substr(0, 3));
    if (rest_.size() < 9 + size) break;
    Frame frame;
    frame.type = static_cast<uint8_t>(rest_[3]);
    frame.flags = static_cast<uint8_t>(rest_[4]);
    frame.stream = read_word(std::string_view(rest_).substr(5, 4));
    frame.payload = rest_.substr(9, size);
    if (frame.type == NGHTTP2_HEADERS) inflate(frame);
    rest_.erase(0, 9 + size);
    frames.push_back(std::move(frame));
  }
  return frames;
}

}  // namespace weir::http::h2::wire
