#include "gateway/websocket.h"

#include <gtest/gtest.h>

#include <vector>

#include "gateway/realtime_usage.h"
#include "gateway/test_frames.h"

namespace weir::gateway {
namespace {

bool all(std::string_view) {
  return true;
}
bool with_done(std::string_view beginning) {
  return beginning.find("done") != beginning.npos;
}

std::vector<std::string> read(std::string_view bytes, size_t piece, MessageReader::Wanted wanted,
                              bool* broken = nullptr) {
  std::vector<std::string> messages;
  MessageReader reader(wanted, [&](std::string_view text) { messages.emplace_back(text); });
  for (size_t at = 0; at < bytes.size(); at += piece) reader.feed(bytes.substr(at, piece));
  if (broken != nullptr) *broken = reader.broken();
  return messages;
}

TEST(MessageReader, PutsMessagesTogetherHoweverTheyAreCut) {
  const std::string longer(300, 'a');
  const std::string longest(70'000, 'b');
  const std::string bytes = text_frame("hello") + frame(0x1, "frag", false) + frame(0x9, "ping") +
                            frame(0x0, "men", false) + frame(0x0, "") + frame(0x2, "binary") +
                            text_frame(longer) + text_frame("") + text_frame(longest) +
                            frame(0x8, "");
  const std::vector<std::string> wanted = {"hello", "fragmen", longer, "", longest};
  for (const size_t piece :
       {size_t{1}, size_t{2}, size_t{3}, size_t{7}, size_t{4096}, bytes.size()}) {
    EXPECT_EQ(read(bytes, piece, all), wanted) << piece;
  }
}

TEST(MessageReader, PassesOverWhatIsNotWanted) {
  const std::string audio =
      R"({"type":"response.output_audio.delta","delta":")" + std::string(1 << 20, 'A') + "\"}";
  const std::string done = R"({"type":"response.done"})";
  const std::string bytes = text_frame(audio) + text_frame(done) + text_frame(audio);
  for (const size_t piece : {size_t{100}, size_t{16'384}, bytes.size()}) {
    EXPECT_EQ(read(bytes, piece, with_done), std::vector<std::string>{done}) << piece;
  }
}

TEST(MessageReader, StopsAtWhatItCannotRead) {
  struct Case {
    const char* what;
    std::string bytes;
  };
  const Case cases[] = {
      {"compressed", std::string("\xc1\x05hello", 7)},
      {"masked", std::string("\x81\x85mask!!!!!", 11)},
      {"unknown opcode", std::string("\x83\x00", 2)},
      {"long control frame", std::string("\x89\x7e\x01\x00", 4)},
      {"fragmented control frame", std::string("\x09\x00", 2)},
      {"length beyond 63 bits", std::string("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 10)},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    bool broken = false;
    EXPECT_TRUE(read(c.bytes + text_frame("later"), 1, all, &broken).empty());
    EXPECT_TRUE(broken);
  }
}

TEST(MessageReader, AMessageOverTheLimitIsCountedAndPassedOver) {
  std::vector<std::string> messages;
  MessageReader reader(all, [&](std::string_view text) { messages.emplace_back(text); });
  const std::string big(MessageReader::kMessageBytesMax / 2, 'x');
  reader.feed(frame(0x1, big, false) + frame(0x0, big, false) + frame(0x0, big) +
              text_frame("after"));
  EXPECT_EQ(messages, std::vector<std::string>{"after"});
  EXPECT_EQ(reader.too_long(), 1U);
}

constexpr std::string_view kDone =
    R"({"type":"response.done","response":{"usage":{"total_tokens":1300,"input_tokens":1000,"output_tokens":300,"input_token_details":{"text_tokens":400,"audio_tokens":600,"cached_tokens":500,"cached_tokens_details":{"text_tokens":200,"audio_tokens":300}},"output_token_details":{"text_tokens":100,"audio_tokens":200}}}})";

TEST(RealtimeUsage, AddsUpResponsesByClass) {
  dialect::Usage usage;
  RealtimeUsage session(usage);
  EXPECT_FALSE(usage.reported);
  for (int i = 0; i < 2; ++i) {
    session.feed(text_frame(R"({"type":"response.created"})"));
    EXPECT_FALSE(usage.reported) << "one is under way";
    session.feed(text_frame(kDone));
    EXPECT_TRUE(usage.reported);
  }
  EXPECT_EQ(usage.input, 400);
  EXPECT_EQ(usage.input_audio, 600);
  EXPECT_EQ(usage.cache_read, 1000);
  EXPECT_EQ(usage.output, 200);
  EXPECT_EQ(usage.output_audio, 400);
  EXPECT_EQ(usage.total_input(), 2000);
  // Another model's work has its own price.
  session.feed(text_frame(
      R"({"event_id":"e","type":"conversation.item.input_audio_transcription.completed","usage":{"type":"duration","seconds":3}})"));
  EXPECT_FALSE(usage.reported);
}

TEST(RealtimeUsage, WhatCannotBeReadIsNotCalledReported) {
  dialect::Usage usage;
  RealtimeUsage session(usage);
  session.feed(text_frame(kDone));
  EXPECT_TRUE(usage.reported);
  session.feed(std::string("\xc1\x05hello", 7));
  EXPECT_FALSE(usage.reported);
  EXPECT_EQ(usage.total_input(), 1000) << "what was told stays";
}

}  // namespace
}  // namespace weir::gateway
