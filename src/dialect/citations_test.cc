// Citations from every dialect that has them to every other, whole and streamed: the source, and
// the stretch of the text that it backs, in each dialect's own way of counting.
#include <gtest/gtest.h>

#include "dialect/dialect_testing.h"
#include "dialect/wire.h"

namespace weir::dialect {
namespace {

using namespace testing;

constexpr const char* kUrl = "https://example.org/a";
constexpr const char* kText = "Zürich: 8 °C. Ja.";  // "8 °C" is characters 8 to 12, bytes 9 to 14

Reply cited(int64_t start, int64_t end) {
  Reply reply{.id = "r", .model = "m", .candidates = {Candidate{}}};
  Part part{.text = kText};
  part.citations.push_back({.url = kUrl, .title = "A", .text_start = start, .text_end = end});
  reply.candidates[0].parts = {Part{.text = "é "}, part};
  reply.candidates[0].stop = StopReason::end_turn;
  return reply;
}

TEST(Citations, ChatCountsCharactersOfTheMessage) {
  const std::string out = write_reply(Dialect::openai_chat, cited(8, 12), {});
  EXPECT_EQ(at(out, "choices.0.message.annotations"),
            canonical(R"([{"type":"url_citation","url_citation":{"start_index":10,"end_index":14,)"
                      R"("url":"https://example.org/a","title":"A"}}])"));
  // Where it is not known what is backed, it is the whole part.
  const std::string whole = write_reply(Dialect::openai_chat, cited(-1, -1), {});
  EXPECT_EQ(at(whole, "choices.0.message.annotations.0.url_citation.start_index"), "2");
  EXPECT_EQ(at(whole, "choices.0.message.annotations.0.url_citation.end_index"), "19");
}

TEST(Citations, GeminiCountsBytes) {
  const std::string out = write_reply(Dialect::gemini, cited(8, 12), {});
  EXPECT_EQ(at(out, "candidates.0.groundingMetadata"),
            canonical(R"({"groundingChunks":[{"web":{"uri":"https://example.org/a","title":"A"}}],)"
                      R"("groundingSupports":[{"segment":{"startIndex":12,"endIndex":17,)"
                      R"("text":"8 °C"},"groundingChunkIndices":[0]}]})"));
}

TEST(Citations, AnthropicCitesTheBlock) {
  const std::string out = write_reply(Dialect::anthropic_messages, cited(8, 12), {});
  EXPECT_EQ(at(out, "content.0.citations"), "");
  EXPECT_EQ(at(out, "content.1.citations.0.type"), R"("web_search_result_location")");
  EXPECT_EQ(at(out, "content.1.citations.0.url"), "\"" + std::string(kUrl) + "\"");
}

// A client that reads the written answer finds the same source and stretch, streamed or not.
TEST(Citations, ArriveInEveryDialect) {
  for (const Dialect client : {Dialect::openai_chat, Dialect::openai_responses,
                               Dialect::anthropic_messages, Dialect::gemini}) {
    const std::string what(to_string(client));
    const auto whole = read_reply_text(client, write_reply(client, cited(8, 12), {}));
    ASSERT_TRUE(whole) << what;
    const Reply streamed =
        build(read_stream(client, write_stream(client, events_of(cited(8, 12)))));
    for (const Reply* reply : {&*whole, &streamed}) {
      std::string text;
      size_t found = 0;
      for (const Part& part : reply->candidates.at(0).parts) {
        for (const Citation& citation : part.citations) {
          ++found;
          EXPECT_EQ(citation.url, kUrl) << what;
          EXPECT_EQ(citation.title, "A") << what;
          if (client == Dialect::anthropic_messages) continue;  // cites the block
          EXPECT_EQ(citation.text_end - citation.text_start, 4) << what;
        }
        text += part.text;
      }
      EXPECT_EQ(found, 1u) << what << (reply == &streamed ? " streamed" : "");
      EXPECT_EQ(text, "é " + std::string(kText)) << what;
    }
  }
}

TEST(Citations, GeminisSegmentsAreFoundInTheText) {
  struct Row {
    const char* what;
    const char* segment;
    int64_t start, end;
  };
  const Row rows[] = {
      {"by offsets", R"({"startIndex":9,"endIndex":14})", 8, 12},
      {"by words where the offsets are another part's",
       R"({"startIndex":2,"endIndex":6,"text":"8 °C"})", 8, 12},
      {"from the beginning", R"({"endIndex":7,"text":"Zürich"})", 0, 6},
      {"words that are not there", R"({"startIndex":1,"endIndex":3,"text":"Bern"})", -1, -1},
      {"beyond the text", R"({"startIndex":1,"endIndex":999})", -1, -1},
  };
  for (const Row& row : rows) {
    const auto reply = read_reply_text(
        Dialect::gemini,
        R"({"candidates":[{"content":{"parts":[{"text":)" + json::quoted(kText) +
            R"(}]},"finishReason":"STOP","groundingMetadata":{"groundingChunks":)"
            R"([{"web":{"uri":"u","title":"t"}}],"groundingSupports":[{"segment":)" +
            row.segment + R"(,"groundingChunkIndices":[0,7]}]}}]})");
    ASSERT_TRUE(reply) << row.what;
    ASSERT_EQ(reply->candidates[0].parts.at(0).citations.size(), 1u) << row.what;
    const Citation& citation = reply->candidates[0].parts[0].citations[0];
    EXPECT_EQ(citation.url, "u") << row.what;
    EXPECT_EQ(citation.text_start, row.start) << row.what;
    EXPECT_EQ(citation.text_end, row.end) << row.what;
  }
}

TEST(Citations, AnthropicsOwnComeBackToItAlone) {
  const std::string own =
      R"({"type":"char_location","cited_text":"c","document_index":0,"document_title":"D",)"
      R"("start_char_index":1,"end_char_index":2,"file_id":null})";
  const std::string foreign =
      R"({"type":"web_search_result_location","cited_text":"","url":"u","title":null,)"
      R"("encrypted_index":"weir1."})";
  const auto c = read_request_text(
      Dialect::anthropic_messages,
      R"({"max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"text","text":"t",)"
      R"("citations":[)" +
          own + "," + foreign + R"(]}]}]})");
  ASSERT_TRUE(c);
  const Part& part = c->messages.at(0).parts.at(0);
  ASSERT_EQ(part.citations.size(), 2u);
  EXPECT_EQ(part.citations[0].kind, Citation::Kind::document);
  EXPECT_EQ(part.citations[0].source_end, 2);
  Dropped dropped;
  const auto body = write_request(Dialect::anthropic_messages, *c, {}, dropped);
  ASSERT_TRUE(body);
  EXPECT_EQ(at(*body, "messages.1.content.0.citations"), canonical("[" + own + "]"));
  EXPECT_EQ(dropped, Dropped{"citations"});
}

}  // namespace
}  // namespace weir::dialect
