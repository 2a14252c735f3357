#include "dialect/event_stream.h"

#include <array>
#include <optional>

#include "base/encoding.h"
#include "base/json/writer.h"
#include "dialect/errors.h"

namespace weir::dialect {
namespace {

constexpr size_t kPreludeBytes = 12;  // two lengths and their checksum
constexpr size_t kChecksumBytes = 4;

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table = {};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) * 0xEDB88320U);
    table[i] = value;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = make_crc_table();

uint32_t read_u32(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

void append_u32(std::string& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

// The bytes of a header's value behind its type; nullopt for a type that does not exist or a value
// that the headers end in.
std::optional<size_t> value_size(unsigned char type, std::string_view rest) {
  constexpr std::array<size_t, 10> kFixed = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};
  if (type >= kFixed.size()) return std::nullopt;
  size_t size = kFixed[type];
  if (type == 6 || type == 7) {  // bytes and text say their length
    if (rest.size() < 2) return std::nullopt;
    size = 2 + static_cast<size_t>(static_cast<unsigned char>(rest[0]) << 8 |
                                   static_cast<unsigned char>(rest[1]));
  }
  if (rest.size() < size) return std::nullopt;
  return size;
}

Result<void> read_headers(std::string_view headers, EventStreamMessage& message) {
  constexpr unsigned char kText = 7;
  while (!headers.empty()) {
    const size_t name_size = static_cast<unsigned char>(headers[0]);
    if (name_size == 0 || headers.size() < name_size + 2) {
      return fail(ErrorCode::protocol_error, "an event stream message has a broken header");
    }
    const std::string_view name = headers.substr(1, name_size);
    const auto type = static_cast<unsigned char>(headers[1 + name_size]);
    headers.remove_prefix(name_size + 2);
    const auto size = value_size(type, headers);
    if (!size) {
      return fail(ErrorCode::protocol_error, "an event stream message has a broken header");
    }
    if (type == kText) {
      const std::string_view value = headers.substr(2, *size - 2);
      if (name == ":message-type") message.message_type = value;
      if (name == ":event-type") message.event_type = value;
      if (name == ":exception-type") message.exception_type = value;
      if (name == ":error-code") message.error_code = value;
      if (name == ":error-message") message.error_message = value;
    }
    headers.remove_prefix(*size);
  }
  return {};
}

// The size of the message that begins `bytes`; 0 while its prelude is not there.
Result<size_t> message_size(std::string_view bytes) {
  if (bytes.size() < kPreludeBytes) return size_t{0};
  const size_t total = read_u32(bytes, 0);
  const size_t headers = read_u32(bytes, 4);
  if (read_u32(bytes, 8) != crc32(bytes.substr(0, 8))) {
    return fail(ErrorCode::protocol_error, "an event stream message has a wrong prelude checksum");
  }
  if (total < kPreludeBytes + kChecksumBytes + headers) {
    return fail(ErrorCode::protocol_error, "an event stream message has lengths that do not fit");
  }
  if (headers > EventStreamReader::kHeaderBytesMax || total > EventStreamReader::kMessageBytesMax) {
    return fail(ErrorCode::limit_exceeded, "one event stream message is larger than 24 MiB");
  }
  return total;
}

Result<EventStreamMessage> read_message(std::string_view bytes) {
  const size_t headers = read_u32(bytes, 4);
  const size_t end = bytes.size() - kChecksumBytes;
  if (read_u32(bytes, end) != crc32(bytes.substr(0, end))) {
    return fail(ErrorCode::protocol_error, "an event stream message has a wrong checksum");
  }
  EventStreamMessage message;
  WEIR_CHECK_OK(read_headers(bytes.substr(kPreludeBytes, headers), message));
  message.payload = bytes.substr(kPreludeBytes + headers, end - kPreludeBytes - headers);
  return message;
}

// A name from the wire, on its way into an event line.
std::string line_text(std::string_view text) {
  constexpr size_t kNameMax = 128;
  std::string clean;
  for (const char c : text.substr(0, kNameMax)) {
    if (c > ' ' && c < '\x7f') clean.push_back(c);
  }
  return clean;
}

}  // namespace

uint32_t crc32(std::string_view bytes, uint32_t before) {
  uint32_t crc = ~before;
  for (const char c : bytes) {
    crc = kCrcTable[(crc ^ static_cast<unsigned char>(c)) & 0xFF] ^ (crc >> 8);
  }
  return ~crc;
}

Result<void> EventStreamReader::feed(std::string_view bytes, const Sink& sink) {
  std::string_view rest = bytes;
  if (!pending_.empty()) {
    pending_.append(bytes);
    rest = pending_;
  }
  while (true) {
    WEIR_TRY(const size_t size, message_size(rest));
    if (size == 0 || rest.size() < size) break;
    WEIR_TRY(const EventStreamMessage message, read_message(rest.substr(0, size)));
    sink(message);
    rest.remove_prefix(size);
  }
  if (pending_.empty()) {
    pending_.assign(rest);
  } else {
    pending_.erase(0, pending_.size() - rest.size());
  }
  return {};
}

void append_event_stream(std::string& out,
                         const std::vector<std::pair<std::string_view, std::string_view>>& headers,
                         std::string_view payload) {
  constexpr size_t kNameMax = 255;
  constexpr size_t kValueMax = 65535;
  std::string packed;
  for (const auto& [long_name, long_value] : headers) {
    const std::string_view name = long_name.substr(0, kNameMax);
    const std::string_view value = long_value.substr(0, kValueMax);
    packed.push_back(static_cast<char>(name.size()));
    packed.append(name).push_back('\x07');
    packed.push_back(static_cast<char>(value.size() >> 8));
    packed.push_back(static_cast<char>(value.size()));
    packed.append(value);
  }
  const size_t begin = out.size();
  const size_t total = kPreludeBytes + packed.size() + payload.size() + kChecksumBytes;
  append_u32(out, static_cast<uint32_t>(total));
  append_u32(out, static_cast<uint32_t>(packed.size()));
  append_u32(out, crc32(std::string_view(out).substr(begin)));
  out.append(packed).append(payload);
  append_u32(out, crc32(std::string_view(out).substr(begin)));
}

Result<void> EventStreamToSse::feed(std::string_view bytes, std::string& sse) {
  Result<void> unpacked;
  WEIR_CHECK_OK(reader_.feed(bytes, [&](const EventStreamMessage& message) {
    if (unpacked) unpacked = unpack(message, sse);
  }));
  return unpacked;
}

Result<void> EventStreamToSse::unpack(const EventStreamMessage& message, std::string& sse) {
  if (message.message_type == "error") {
    unpack_error(message.error_code, message.error_message, sse);
    return {};
  }
  // A payload that is no JSON is passed on as it is: the dialect's reader says what is wrong.
  const bool parsed = document_.parse(message.payload, {.unique_keys_levels = 0}).has_value();
  const json::Value root = document_.root();
  if (message.message_type == "exception") {
    std::string text = root["message"].string_or("");
    if (text.empty()) text = root["Message"].string_or("");
    if (text.empty()) text = root["originalMessage"].string_or("");
    unpack_error(message.exception_type, text, sse);
    return {};
  }
  if (dialect_ != Dialect::anthropic_messages || message.event_type != "chunk") {
    append_sse(sse, line_text(message.event_type), message.payload);
    return {};
  }
  const auto bytes = parsed ? base64_decode(root["bytes"].string_or("")) : std::nullopt;
  if (!bytes) {
    return fail(ErrorCode::protocol_error, "a chunk of the provider's stream is not base64");
  }
  std::string name;
  if (document_.parse(*bytes, {.unique_keys_levels = 0})) {
    name = line_text(document_.root()["type"].string_or(""));
  }
  append_sse(sse, name, *bytes);
  return {};
}

void EventStreamToSse::unpack_error(std::string_view type, std::string_view text,
                                    std::string& sse) {
  std::string json;
  json::Writer w(json);
  w.begin_object().member("__type", type).member("message", text).end_object();
  if (!document_.parse(json)) return;
  sse += write_stream_error(dialect_, read_error_json(200, document_.root()), {});
}

Result<void> SseToEventStream::feed(std::string_view sse, std::string& frames) {
  return reader_.feed(sse, [&](const SseEvent& event) { pack(event, frames); });
}

void SseToEventStream::pack(const SseEvent& event, std::string& frames) {
  json::Document document;
  if (event.event == "error" && document.parse(event.data, {.unique_keys_levels = 0})) {
    const ApiError error = read_error_json(200, document.root());
    std::string type(bedrock_exception(error.type));
    type[0] = static_cast<char>(type[0] - 'A' + 'a');
    const std::string payload = R"({"message":)" + json::quoted(error.message) + "}";
    append_event_stream(frames,
                        {{":exception-type", type},
                         {":content-type", "application/json"},
                         {":message-type", "exception"}},
                        payload);
    return;
  }
  std::string payload(event.data);
  if (chunks_) {
    payload = R"({"bytes":")" + base64_encode(event.data) + R"("})";
  }
  append_event_stream(frames,
                      {{":event-type", chunks_ ? std::string_view("chunk") : event.event},
                       {":content-type", "application/json"},
                       {":message-type", "event"}},
                      payload);
}

}  // namespace weir::dialect
