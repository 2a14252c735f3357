#include "dialect/sse.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace weir::dialect {
namespace {

struct Seen {
  std::string event, data, raw;
  bool has_data = true;
  bool operator==(const Seen&) const = default;
};

// Reads `text` cut at the given places.
std::vector<Seen> read_cut(std::string_view text, const std::vector<size_t>& cuts,
                           SseReader::Blocks blocks = SseReader::Blocks::events) {
  std::vector<Seen> seen;
  SseReader reader(blocks);
  const auto sink = [&](const SseEvent& e) {
    seen.push_back({std::string(e.event), std::string(e.data), std::string(e.raw), e.has_data});
  };
  size_t from = 0;
  for (const size_t cut : cuts) {
    EXPECT_TRUE(reader.feed(text.substr(from, cut - from), sink));
    from = cut;
  }
  EXPECT_TRUE(reader.feed(text.substr(from), sink));
  EXPECT_TRUE(reader.finish(sink));
  return seen;
}

std::vector<std::pair<std::string, std::string>> names_and_data(const std::vector<Seen>& seen) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const Seen& s : seen) out.emplace_back(s.event, s.data);
  return out;
}

using Pairs = std::vector<std::pair<std::string, std::string>>;
struct Case {
  const char* name;
  std::string text;
  Pairs expected;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"line feeds", "data: a\n\ndata: b\n\n", {{"", "a"}, {"", "b"}}},
      {"carriage return and line feed", "data: a\r\n\r\ndata: b\r\n\r\n", {{"", "a"}, {"", "b"}}},
      {"carriage returns", "data: a\r\rdata: b\r\r", {{"", "a"}, {"", "b"}}},
      {"mixed",
       "data: a\r\n\ndata: b\n\r\ndata: c\r\r\ndata: d\n\r",
       {{"", "a"}, {"", "b"}, {"", "c"}, {"", "d"}}},
      {"named", "event: ping\ndata: {}\n\n", {{"ping", "{}"}}},
      {"the last name wins", "event: a\nevent: b\ndata: 1\n\n", {{"b", "1"}}},
      {"a name does not live on", "event: a\ndata: 1\n\ndata: 2\n\n", {{"a", "1"}, {"", "2"}}},
      {"comments", ": keepalive\n\n:\ndata: a\n: more\n\n", {{"", "a"}}},
      {"several data lines", "data: a\ndata: b\ndata:\ndata: c\n\n", {{"", "a\nb\n\nc"}}},
      {"one space only", "data:  a\n\ndata:b\n\n", {{"", " a"}, {"", "b"}}},
      {"a field without colon", "data\n\n", {{"", ""}}},
      {"other fields", "id: 7\nretry: 10\nfoo: x\ndata: a\n\n", {{"", "a"}}},
      {"no data, no event", "event: a\n\nid: 1\n\n\n\n", {}},
      {"byte order mark",
       "\xEF\xBB\xBF"
       "data: a\n\ndata: b\n\n",
       {{"", "a"}, {"", "b"}}},
      {"closed behind the last line", "data: a\n\ndata: b\n", {{"", "a"}, {"", "b"}}},
      {"closed inside the last line", "data: a\n\ndata: b", {{"", "a"}, {"", "b"}}},
      {"UTF-8 of several bytes",
       "data: \xF0\x9F\x98\x80\xC3\xA9\n\n",
       {{"", "\xF0\x9F\x98\x80\xC3\xA9"}}},
      {"empty", "", {}},
  };
  return all;
}

TEST(Sse, ReadsEvents) {
  for (const Case& c : cases()) {
    EXPECT_EQ(names_and_data(read_cut(c.text, {})), c.expected) << c.name;
  }
}

TEST(Sse, EverySplitInTwoGivesTheSame) {
  for (const Case& c : cases()) {
    for (const auto blocks : {SseReader::Blocks::events, SseReader::Blocks::all}) {
      const auto whole = read_cut(c.text, {}, blocks);
      for (size_t cut = 0; cut <= c.text.size(); ++cut) {
        EXPECT_EQ(read_cut(c.text, {cut}, blocks), whole) << c.name << " cut at " << cut;
      }
    }
  }
}

TEST(Sse, ByteByByteGivesTheSame) {
  for (const Case& c : cases()) {
    std::vector<size_t> cuts;
    for (size_t i = 1; i < c.text.size(); ++i) cuts.push_back(i);
    EXPECT_EQ(read_cut(c.text, cuts), read_cut(c.text, {})) << c.name;
  }
}

TEST(Sse, AllBlocksTogetherAreTheStream) {
  for (const Case& c : cases()) {
    std::string together;
    for (const Seen& s : read_cut(c.text, {}, SseReader::Blocks::all)) together += s.raw;
    EXPECT_EQ(together, c.text) << c.name;
  }
}

TEST(Sse, CommentsReachWhoAsksForThem) {
  const auto seen = read_cut(": ping\n\ndata: a\n\n", {}, SseReader::Blocks::all);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_FALSE(seen[0].has_data);
  EXPECT_EQ(seen[0].raw, ": ping\n\n");
  EXPECT_TRUE(seen[1].has_data);
}

TEST(Sse, AnEventWithCarriageReturnsIsNotLate) {
  SseReader reader;
  int count = 0;
  ASSERT_TRUE(reader.feed("data: a\r\r", [&](const SseEvent&) { ++count; }));
  EXPECT_EQ(count, 1);
}

TEST(Sse, TellsWhetherAnEventHasBegun) {
  const auto ignore = [](const SseEvent&) {};
  struct {
    const char* text;
    bool in_event;
  } const table[] = {{"data: a\n\n", false},  {"data: a\n", true},    {"d", true},
                     {": note", false},       {"\n\n\n", false},      {": note\ndata", true},
                     {"data: a\r\n\r", true}, {"data: a\n\n:", false}};
  for (const auto& row : table) {
    SseReader reader;
    ASSERT_TRUE(reader.feed(row.text, ignore));
    EXPECT_EQ(reader.in_event(), row.in_event) << row.text;
  }
}

TEST(Sse, AnEventHasALimit) {
  SseReader reader;
  const std::string piece(1 << 20, 'x');
  ASSERT_TRUE(reader.feed("data: ", [](const SseEvent&) {}));
  for (int i = 0; i < 15; ++i) ASSERT_TRUE(reader.feed(piece, [](const SseEvent&) {}));
  const auto result = reader.feed(piece, [](const SseEvent&) {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::limit_exceeded);
}

TEST(AppendSse, JsonLaidOutOverLinesStaysOneEvent) {
  std::string out = "data: 1\n\n";
  append_sse(out, "e", "{\"a\":\r\n 1,\n\r\"b\": \"\\n\"}");
  EXPECT_EQ(out, "data: 1\n\nevent: e\ndata: {\"a\":   1,  \"b\": \"\\n\"}\n\n");
}

TEST(Sse, WritesWhatItReads) {
  std::string out;
  append_sse(out, "message_stop", R"({"a":1})");
  append_sse(out, "", "[DONE]");
  EXPECT_EQ(out, "event: message_stop\ndata: {\"a\":1}\n\ndata: [DONE]\n\n");
  EXPECT_EQ(names_and_data(read_cut(out, {})),
            (Pairs{{"message_stop", R"({"a":1})"}, {"", "[DONE]"}}));
}

}  // namespace
}  // namespace weir::dialect
