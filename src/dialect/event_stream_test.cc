// AWS event-stream framing: known bytes, every cut, every damaged byte, and the way to server-sent
// events and back.
#include "dialect/event_stream.h"

#include <gtest/gtest.h>

#include <random>

#include "base/encoding.h"
#include "dialect/dialect_testing.h"

namespace weir::dialect {
namespace {

using namespace testing;

struct Seen {
  std::string type, event, exception, payload;
  bool operator==(const Seen&) const = default;
};

struct Outcome {
  std::vector<Seen> messages;
  std::optional<ErrorCode> error;
  bool in_message = false;
  bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view bytes, const std::vector<size_t>& cuts = {}) {
  Outcome outcome;
  EventStreamReader reader;
  const auto sink = [&](const EventStreamMessage& m) {
    outcome.messages.push_back({std::string(m.message_type), std::string(m.event_type),
                                std::string(m.exception_type), std::string(m.payload)});
  };
  size_t from = 0;
  std::vector<size_t> ends = cuts;
  ends.push_back(bytes.size());
  for (const size_t end : ends) {
    if (const auto fed = reader.feed(bytes.substr(from, end - from), sink); !fed) {
      outcome.error = fed.error().code();
      return outcome;
    }
    from = end;
  }
  outcome.in_message = reader.in_message();
  return outcome;
}

std::string two_messages() {
  std::string bytes;
  append_event_stream(bytes, {{":event-type", "messageStart"}, {":message-type", "event"}},
                      R"({"role":"assistant"})");
  append_event_stream(bytes,
                      {{":exception-type", "throttlingException"}, {":message-type", "exception"}},
                      R"({"message":"slow down"})");
  return bytes;
}

TEST(EventStream, TheChecksumIsGzips) {
  EXPECT_EQ(crc32("123456789"), 0xCBF43926U);  // RFC 1952's check value
  EXPECT_EQ(crc32("6789", crc32("12345")), 0xCBF43926U);
}

// From AWS's own test vectors for the format, and one frame made with Python's zlib.crc32.
TEST(EventStream, KnownMessages) {
  const auto empty = hex_decode("000000100000000005c248eb7d98c8ff");
  ASSERT_TRUE(empty);
  EXPECT_EQ(read(*empty).messages, std::vector<Seen>({{}}));
  std::string written;
  append_event_stream(written, {}, {});
  EXPECT_EQ(written, *empty);

  const auto payload = hex_decode("0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936");
  ASSERT_TRUE(payload);
  EXPECT_EQ(read(*payload).messages, std::vector<Seen>({{"", "", "", "{'foo':'bar'}"}}));
}

TEST(EventStream, HeadersOfEveryTypeArePassedOver) {
  // A byte, a short, an int, a long, bytes, a timestamp, a UUID and both booleans before the text.
  std::string headers;
  const auto add = [&](std::string_view name, char type, std::string_view value) {
    headers.push_back(static_cast<char>(name.size()));
    headers.append(name).push_back(type);
    headers.append(value);
  };
  using namespace std::string_view_literals;
  add("t", 0, "");
  add("f", 1, "");
  add("b", 2, "\x01");
  add("s", 3, "\x00\x01"sv);
  add("i", 4, "\x00\x00\x00\x01"sv);
  add("l", 5, "\x00\x00\x00\x00\x00\x00\x00\x01"sv);
  add("a", 6, "\x00\x02xy"sv);
  add("m", 8, "\x00\x00\x00\x00\x00\x00\x00\x01"sv);
  add("u", 9, "0123456789abcdef");
  add(":event-type", 7, "\x00\x03now"sv);
  const auto message = [](std::string_view packed) {
    std::string bytes;
    const auto u32 = [&](uint32_t v) {
      for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(v >> shift));
    };
    u32(static_cast<uint32_t>(16 + packed.size()));
    u32(static_cast<uint32_t>(packed.size()));
    u32(crc32(bytes));
    bytes += packed;
    u32(crc32(bytes));
    return bytes;
  };
  EXPECT_EQ(read(message(headers)).messages, std::vector<Seen>({{"", "now", "", ""}}));
  // A type that does not exist, a value and a name that end too early.
  for (const std::string& bad : {std::string("\x01x\x0a"), std::string("\x01x\x07\x00\x09y", 6),
                                 std::string("\x09x"), std::string("\x00\x00", 2)}) {
    EXPECT_EQ(read(message(bad)).error, ErrorCode::protocol_error) << hex_encode(bad);
  }
}

TEST(EventStream, EveryCutGivesTheSameMessages) {
  const std::string bytes = two_messages();
  const Outcome whole = read(bytes);
  ASSERT_EQ(whole.messages.size(), 2u);
  EXPECT_EQ(whole.messages[1].exception, "throttlingException");
  for (size_t a = 0; a <= bytes.size(); ++a) {
    for (size_t b = a; b <= bytes.size(); b += 7) {
      ASSERT_EQ(read(bytes, {a, b}), whole) << a << " " << b;
    }
  }
  for (size_t end = 1; end < bytes.size(); ++end) {
    const Outcome part = read(bytes.substr(0, end));
    EXPECT_EQ(part.error, std::nullopt);
    EXPECT_LT(part.messages.size(), 2u);
  }
}

TEST(EventStream, EveryDamagedByteIsNoticed) {
  const std::string bytes = two_messages();
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const int bit : {0, 3, 7}) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      EXPECT_EQ(read(damaged).error, ErrorCode::protocol_error) << at << " bit " << bit;
    }
  }
}

TEST(EventStream, LimitsAreToldByThePreludeAlone) {
  const auto prelude = [](uint32_t total, uint32_t headers) {
    std::string bytes;
    for (const uint32_t v : {total, headers}) {
      for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(v >> shift));
    }
    const uint32_t crc = crc32(bytes);
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(crc >> shift));
    return bytes;
  };
  constexpr auto kMost = static_cast<uint32_t>(EventStreamReader::kMessageBytesMax);
  EXPECT_EQ(read(prelude(kMost, 0)).error, std::nullopt);
  EXPECT_EQ(read(prelude(kMost + 1, 0)).error, ErrorCode::limit_exceeded);
  EXPECT_EQ(read(prelude(kMost, 128 * 1024 + 1)).error, ErrorCode::limit_exceeded);
  EXPECT_EQ(read(prelude(15, 0)).error, ErrorCode::protocol_error);
  EXPECT_EQ(read(prelude(16, 1)).error, ErrorCode::protocol_error);
  EXPECT_EQ(read(prelude(20, 0xFFFFFFFF)).error, ErrorCode::protocol_error);
}

std::string unpacked(Dialect dialect, std::string_view frames) {
  std::string sse;
  EventStreamToSse way(dialect);
  EXPECT_TRUE(way.feed(frames, sse));
  return sse;
}

TEST(EventStream, ConverseEventsAsServerSentEvents) {
  std::string frames;
  append_event_stream(frames, {{":event-type", "messageStart"}, {":message-type", "event"}},
                      "{\n \"role\": \"assistant\"\r\n}");
  EXPECT_EQ(unpacked(Dialect::bedrock_converse, frames),
            "event: messageStart\ndata: {  \"role\": \"assistant\"  }\n\n");
}

TEST(EventStream, ChunksAreTheEventsInThem) {
  const std::string event = R"({"type":"content_block_delta","index":0})";
  std::string frames;
  append_event_stream(frames, {{":event-type", "chunk"}, {":message-type", "event"}},
                      R"({"bytes":")" + base64_encode(event) + R"(","p":"abc"})");
  EXPECT_EQ(unpacked(Dialect::anthropic_messages, frames),
            "event: content_block_delta\ndata: " + event + "\n\n");
  frames.clear();
  append_event_stream(frames, {{":event-type", "chunk"}, {":message-type", "event"}},
                      R"({"bytes":"not base64"})");
  std::string sse;
  EventStreamToSse way(Dialect::anthropic_messages);
  const auto fed = way.feed(frames, sse);
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code(), ErrorCode::protocol_error);
}

TEST(EventStream, ExceptionsAreErrorsOfTheDialect) {
  const struct {
    const char* exception;
    ApiErrorType type;
    int status;
    const char* anthropic;
  } table[] = {
      {"throttlingException", ApiErrorType::rate_limit, 429, "rate_limit_error"},
      {"modelStreamErrorException", ApiErrorType::unavailable, 503, "api_error"},
      {"serviceUnavailableException", ApiErrorType::unavailable, 503, "api_error"},
      {"internalServerException", ApiErrorType::server, 500, "api_error"},
      {"validationException", ApiErrorType::invalid_request, 400, "invalid_request_error"},
      {"modelTimeoutException", ApiErrorType::timeout, 504, "timeout_error"},
      {"somethingNewException", ApiErrorType::server, 500, "api_error"},
  };
  for (const auto& row : table) {
    std::string frames;
    append_event_stream(frames,
                        {{":exception-type", row.exception}, {":message-type", "exception"}},
                        R"({"message":"why \"so\""})");
    const StreamEvents events =
        read_stream(Dialect::bedrock_converse, unpacked(Dialect::bedrock_converse, frames));
    ASSERT_NE(error_of(events), nullptr) << row.exception;
    EXPECT_EQ(error_of(events)->type, row.type) << row.exception;
    EXPECT_EQ(error_of(events)->status, row.status) << row.exception;
    EXPECT_EQ(error_of(events)->message, "why \"so\"");
    const std::string anthropic = unpacked(Dialect::anthropic_messages, frames);
    EXPECT_NE(anthropic.find(row.anthropic), std::string::npos) << anthropic;
  }
  std::string frames;
  append_event_stream(frames,
                      {{":message-type", "error"},
                       {":error-code", "internalServerException"},
                       {":error-message", "broken"}},
                      "");
  const StreamEvents events =
      read_stream(Dialect::bedrock_converse, unpacked(Dialect::bedrock_converse, frames));
  ASSERT_NE(error_of(events), nullptr);
  EXPECT_EQ(error_of(events)->message, "broken");
}

TEST(EventStream, ThereAndBack) {
  const std::string anthropic =
      "event: message_start\ndata: {\"type\":\"message_start\"}\n\n"
      "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
  const std::string converse =
      "event: messageStart\ndata: {\"role\":\"assistant\"}\n\n"
      "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"throttlingException\","
      "\"message\":\"slow\"}}\n\n";
  std::string frames;
  SseToEventStream chunks(true);
  ASSERT_TRUE(chunks.feed(anthropic, frames));
  EXPECT_EQ(unpacked(Dialect::anthropic_messages, frames), anthropic);
  frames.clear();
  SseToEventStream events(false);
  // Cut anywhere on its way in.
  for (const char c : converse) ASSERT_TRUE(events.feed({&c, 1}, frames));
  EXPECT_EQ(unpacked(Dialect::bedrock_converse, frames), converse);
}

}  // namespace
}  // namespace weir::dialect
