#include "http/body.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"

namespace weir::http {
namespace {

struct Outcome {
  BodyDecoder::State state = BodyDecoder::State::more;
  std::string payload;
  size_t consumed = 0;
};

// Feeds the bytes in pieces of the sizes that `next` gives, as reads would bring them.
template <class Next>
Outcome run(BodyDecoder& decoder, std::string_view bytes, Next next) {
  Outcome outcome;
  if (decoder.done()) outcome.state = BodyDecoder::State::done;
  while (outcome.state == BodyDecoder::State::more && !bytes.empty()) {
    std::string piece(bytes.substr(0, next()));
    const BodyDecoder::Step step = decoder.decode(piece);
    outcome.payload += step.payload;
    outcome.consumed += step.consumed;
    outcome.state = step.state;
    if (step.state == BodyDecoder::State::more) {
      EXPECT_EQ(step.consumed, piece.size());
    }
    bytes.remove_prefix(step.consumed);
  }
  return outcome;
}

Outcome run_whole(BodyDecoder& decoder, std::string_view bytes) {
  return run(decoder, bytes, [&] { return bytes.size(); });
}

BodyDecoder chunked(bool extensions = false) {
  return BodyDecoder({BodyKind::chunked, 0}, extensions);
}

TEST(BodyDecoder, JoinsChunksOfOneReadIntoOnePiece) {
  std::string bytes = "3\r\nabc\r\n1\r\nd\r\n00A\r\n0123456789\r\n0\r\n\r\nNEXT";
  BodyDecoder decoder = chunked();
  const BodyDecoder::Step step = decoder.decode(bytes);
  EXPECT_EQ(step.state, BodyDecoder::State::done);
  EXPECT_EQ(step.payload, "abcd0123456789");
  EXPECT_EQ(bytes.substr(step.consumed), "NEXT");
  EXPECT_EQ(decoder.decoded(), 14U);
}

TEST(BodyDecoder, LengthTakesNoMoreThanItsOwn) {
  BodyDecoder decoder({BodyKind::length, 5}, false);
  EXPECT_EQ(decoder.length_left(), 5U);
  std::string bytes = "helloGET /";
  const BodyDecoder::Step step = decoder.decode(bytes);
  EXPECT_EQ(step.state, BodyDecoder::State::done);
  EXPECT_EQ(step.payload, "hello");
  EXPECT_EQ(step.consumed, 5U);
  EXPECT_TRUE(decoder.done());
}

TEST(BodyDecoder, UntilCloseEndsOnlyWithTheConnection) {
  BodyDecoder decoder({BodyKind::until_close, 0}, true);
  EXPECT_EQ(run_whole(decoder, "anything").payload, "anything");
  EXPECT_FALSE(decoder.done());
  EXPECT_TRUE(decoder.end_of_input_is_end());
}

struct Broken {
  const char* name;
  std::string bytes;
  bool extensions;
};

TEST(BodyDecoder, RefusesBrokenChunks) {
  const std::vector<Broken> cases = {
      {"no size", "\r\nabc", true},
      {"plus", "+3\r\nabc\r\n", true},
      {"minus", "-3\r\nabc\r\n", true},
      {"0x", "0x3\r\nabc\r\n", true},
      {"space first", " 3\r\nabc\r\n", true},
      {"underscore", "1_0\r\n", true},
      {"not hexadecimal", "g\r\n", true},
      {"bare lf after size", "3\nabc\r\n", true},
      {"cr without lf after size", "3\rabc", true},
      {"overflow", "8000000000000000\r\n", true},
      {"overflow of 64 bit", "10000000000000003\r\nabc", true},
      {"many zeros", std::string(17, '0') + "\r\n", true},
      {"no crlf after data", "3\r\nabcd\r\n", true},
      {"bare lf after data", "3\r\nabc\n0\r\n\r\n", true},
      {"bare lf at the end", "0\r\n\n", true},
      {"bare lf after last size", "0\n\r\n", true},
      {"trailer without colon", "0\r\nabc\r\n\r\n", true},
      {"trailer with space before colon", "0\r\nabc : d\r\n\r\n", true},
      {"folded trailer", "0\r\na: b\r\n c\r\n\r\n", true},
      {"bare lf in trailer", "0\r\na: b\n\r\n", true},
      {"nul in trailer", std::string("0\r\na: \0\r\n\r\n", 11), true},
      {"long trailers", "0\r\na: " + std::string(9000, 'x') + "\r\n\r\n", true},
      {"extension in a request", "3;a=b\r\nabc\r\n0\r\n\r\n", false},
      {"space after size in a request", "3 \r\nabc\r\n0\r\n\r\n", false},
      {"long extension", "3;" + std::string(200, 'x') + "\r\nabc\r\n", true},
      {"lf in extension", "3;a\n\r\nabc\r\n", true},
  };
  for (const Broken& test : cases) {
    SCOPED_TRACE(test.name);
    BodyDecoder whole = chunked(test.extensions);
    EXPECT_EQ(run_whole(whole, test.bytes).state, BodyDecoder::State::error);
    EXPECT_FALSE(whole.done());
    BodyDecoder bytewise = chunked(test.extensions);
    EXPECT_EQ(run(bytewise, test.bytes, [] { return size_t{1}; }).state, BodyDecoder::State::error);
    std::string more = "3\r\nabc\r\n0\r\n\r\n";
    EXPECT_EQ(bytewise.decode(more).state, BodyDecoder::State::error) << "errors must stay";
  }
}

TEST(BodyDecoder, SkipsExtensionsAndTrailersOfResponses) {
  BodyDecoder decoder = chunked(true);
  const Outcome outcome =
      run_whole(decoder, "3;ext=\"v\"\r\nabc\r\n2 \r\nde\r\n0;x\r\nChecksum: 1\r\nB:\r\n\r\nrest");
  EXPECT_EQ(outcome.state, BodyDecoder::State::done);
  EXPECT_EQ(outcome.payload, "abcde");
}

TEST(BodyDecoder, ReadsWhatTheEncoderWritesHoweverItIsCut) {
  Random random(7);
  for (int round = 0; round < 300; ++round) {
    std::string payload;
    std::string wire;
    for (uint32_t chunk = random.below(6); chunk > 0; --chunk) {
      std::string data(1 + random.below(random.below(4) == 0 ? 3000 : 20), '\0');
      for (char& c : data) c = static_cast<char>(random.below(256));
      char room[kChunkPrefixMax];
      wire += chunk_prefix(data.size(), room);
      wire += data;
      wire += kChunkSuffix;
      payload += data;
    }
    wire += kLastChunk;
    const uint32_t largest = 1 + random.below(400);
    BodyDecoder decoder = chunked();
    const Outcome outcome = run(decoder, wire + "NEXT", [&] { return 1 + random.below(largest); });
    ASSERT_EQ(outcome.state, BodyDecoder::State::done);
    ASSERT_EQ(outcome.payload, payload);
    ASSERT_EQ(outcome.consumed, wire.size());
    ASSERT_TRUE(decoder.end_of_input_is_end());
  }
}

TEST(BodyDecoder, ATruncatedBodyNeverLooksWhole) {
  const std::string wire = "5\r\nhello\r\n6\r\n world\r\n0\r\nT: v\r\n\r\n";
  for (size_t size = 0; size < wire.size(); ++size) {
    BodyDecoder decoder = chunked();
    run_whole(decoder, wire.substr(0, size));
    ASSERT_FALSE(decoder.end_of_input_is_end()) << size;
  }
  for (size_t size = 0; size < 5; ++size) {
    BodyDecoder decoder({BodyKind::length, 5}, false);
    run_whole(decoder, std::string(size, 'x'));
    ASSERT_FALSE(decoder.end_of_input_is_end()) << size;
  }
}

TEST(ChunkPrefix, WritesHexadecimal) {
  char room[kChunkPrefixMax];
  EXPECT_EQ(chunk_prefix(1, room), "1\r\n");
  EXPECT_EQ(chunk_prefix(0xabc, room), "abc\r\n");
  EXPECT_EQ(chunk_prefix(UINT64_MAX, room), "ffffffffffffffff\r\n");
}

}  // namespace
}  // namespace weir::http
