// Recorded answers of real providers through the readers and writers: whole and streamed, cut
// anywhere, and translated there and back.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "dialect/dialect_testing.h"
#include "dialect/recorded_replies.h"
#include "dialect/usage_json.h"

namespace weir::dialect {
namespace {

using namespace testing;

constexpr Dialect kDialects[] = {Dialect::openai_chat, Dialect::anthropic_messages, Dialect::gemini,
                                 Dialect::openai_responses};

bool is_tested(Dialect dialect) {
  return dialect == Dialect::openai_chat || dialect == Dialect::anthropic_messages ||
         dialect == Dialect::gemini || dialect == Dialect::bedrock_converse ||
         dialect == Dialect::openai_responses;
}

std::vector<recorded::Reply> recordings(bool streams) {
  std::vector<recorded::Reply> all = recorded::load(streams);
  std::erase_if(all, [](const recorded::Reply& r) { return !is_tested(r.dialect); });
  return all;
}

std::string wire_of(const recorded::Reply& reply) {
  std::string bytes;
  for (const std::string& event : recorded::wire_events(reply)) bytes += event;
  return bytes;
}

// By what the lines hold: an error in the stream, or two messages in one, is no answer.
bool is_broken(const recorded::Reply& reply) {
  std::set<std::string> message_ids;
  for (const std::string& line : reply.lines) {
    if (at(line, "type") == "\"error\"" || at(line, "error.message") != "") return true;
    if (at(line, "type") == "\"message_start\"") message_ids.insert(at(line, "message.id"));
    if (at(line, "type") == "\"message_stop\"") break;  // a file may hold several turns
  }
  return message_ids.size() > 1;
}

// Some recordings of Bedrock were cut before their metadata.
bool tells_usage(const recorded::Reply& reply) {
  if (reply.dialect != Dialect::bedrock_converse) return true;
  return std::any_of(reply.lines.begin(), reply.lines.end(),
                     [](const std::string& line) { return at(line, "metadata.usage") != ""; });
}

#define SKIP_WITHOUT_RECORDINGS(replies) \
  if ((replies).empty()) GTEST_SKIP() << "shared/fixtures/recorded-provider-replies is absent"

// What a client sees of an answer, in the one form that it can be compared in: texts of one kind
// that follow each other are one.
struct Seen {
  std::string text, thinking, refusal;
  std::vector<std::string> calls;
  StopReason stop = StopReason::unset;
  bool operator==(const Seen&) const = default;
};

Seen seen_of(const Reply& reply) {
  Seen seen;
  if (reply.candidates.empty()) return seen;
  for (const Part& part : reply.candidates[0].parts) {
    if (part.kind == PartKind::text) seen.text += part.text;
    if (part.kind == PartKind::thinking) seen.thinking += part.text;
    if (part.kind == PartKind::refusal) seen.refusal += part.text;
    if (part.kind == PartKind::tool_call) {
      // The text of a custom tool's call is the one argument of a function elsewhere.
      const std::string arguments =
          part.freeform ? R"({"input":)" + json::quoted(part.text) + "}" : part.json;
      seen.calls.push_back(read_call_id(part.id).id + " " + part.name + " " + canonical(arguments));
    }
  }
  seen.stop = reply.candidates[0].stop;
  return seen;
}

void expect_seen_equal(const Reply& a, const Reply& b, const std::string& what) {
  const Seen x = seen_of(a);
  const Seen y = seen_of(b);
  EXPECT_EQ(x.text, y.text) << what;
  EXPECT_EQ(x.thinking, y.thinking) << what;
  EXPECT_EQ(x.calls, y.calls) << what;
  EXPECT_EQ(x.stop, y.stop) << what;
  EXPECT_EQ(a.usage.total_input(), b.usage.total_input()) << what;
  EXPECT_EQ(a.usage.total_output(), b.usage.total_output()) << what;
  EXPECT_EQ(a.usage.cache_read, b.usage.cache_read) << what;
}

TEST(RecordedTranslation, WholeAnswersAreRead) {
  const auto replies = recordings(false);
  SKIP_WITHOUT_RECORDINGS(replies);
  for (const auto& r : replies) {
    const auto reply = read_reply_text(r.dialect, r.body);
    ASSERT_TRUE(reply) << r.name << ": " << reply.error().message();
    ASSERT_EQ(reply->candidates.size(), 1u) << r.name;
    // Converse names neither.
    EXPECT_EQ(reply->id.empty(), r.dialect == Dialect::bedrock_converse) << r.name;
    EXPECT_EQ(reply->model.empty(), r.dialect == Dialect::bedrock_converse) << r.name;
    EXPECT_FALSE(reply->candidates[0].parts.empty()) << r.name;
    EXPECT_NE(reply->candidates[0].stop, StopReason::unset) << r.name;
    EXPECT_TRUE(reply->usage.reported) << r.name;
    for (const Part& part : reply->candidates[0].parts) {
      if (part.kind != PartKind::tool_call || part.freeform) continue;
      EXPECT_FALSE(part.id.empty()) << r.name;
      EXPECT_EQ(canonical(part.json).front(), '{') << r.name;
      EXPECT_EQ(reply->candidates[0].stop, StopReason::tool_use) << r.name;
    }
  }
}

TEST(RecordedTranslation, StreamsAreReadToTheirEnd) {
  const auto replies = recordings(true);
  SKIP_WITHOUT_RECORDINGS(replies);
  for (const auto& r : replies) {
    const StreamEvents events = read_stream(r.dialect, wire_of(r));
    ASSERT_FALSE(events.empty()) << r.name;
    if (is_broken(r)) {
      EXPECT_NE(error_of(events), nullptr) << r.name;
      EXPECT_EQ(events.back().kind, EventKind::error) << r.name;
      continue;
    }
    ASSERT_EQ(error_of(events), nullptr) << r.name << ": " << error_of(events)->message;
    EXPECT_EQ(events.back().kind, EventKind::end) << r.name;
    const Reply reply = build(events);
    ASSERT_EQ(reply.candidates.size(), 1u) << r.name;
    EXPECT_FALSE(reply.candidates[0].parts.empty()) << r.name;
    EXPECT_NE(reply.candidates[0].stop, StopReason::unset) << r.name;
    EXPECT_EQ(reply.usage.reported, tells_usage(r)) << r.name;
    for (const Part& part : reply.candidates[0].parts) {
      if (part.kind != PartKind::tool_call || part.freeform) continue;
      EXPECT_EQ(canonical(part.json).front(), '{') << r.name;
    }
  }
}

// Parts of a candidate never overlap, are numbered 0, 1, ... and deltas stand inside theirs.
TEST(RecordedTranslation, EventsKeepTheirOrder) {
  const auto replies = recordings(true);
  SKIP_WITHOUT_RECORDINGS(replies);
  for (const auto& r : replies) {
    bool open = false;
    bool started = false;
    uint32_t next = 0;
    for (const StreamEvent& e : read_stream(r.dialect, wire_of(r))) {
      switch (e.kind) {
        case EventKind::start:
          EXPECT_FALSE(started) << r.name;
          started = true;
          break;
        case EventKind::part_start:
          EXPECT_TRUE(started) << r.name;
          EXPECT_FALSE(open) << r.name;
          EXPECT_EQ(e.part, next++) << r.name;
          open = true;
          break;
        case EventKind::text_delta:
        case EventKind::args_delta:
        case EventKind::signature:
        case EventKind::data:
          EXPECT_TRUE(open) << r.name;
          EXPECT_EQ(e.part + 1, next) << r.name;
          break;
        case EventKind::part_end:
          EXPECT_TRUE(open) << r.name;
          open = false;
          break;
        case EventKind::finish:
        case EventKind::end:
          EXPECT_FALSE(open) << r.name;
          break;
        default:
          break;
      }
    }
  }
}

TEST(RecordedTranslation, EveryCutGivesTheSameEvents) {
  const auto replies = recordings(true);
  SKIP_WITHOUT_RECORDINGS(replies);
  constexpr size_t kBytesMax = 3'000;  // every cut of a longer stream is quadratic
  size_t cut_streams = 0;
  for (const auto& r : replies) {
    const std::string bytes = wire_of(r);
    const StreamEvents whole = read_stream(r.dialect, bytes);
    if (bytes.size() <= kBytesMax) {
      ++cut_streams;
      for (size_t cut = 1; cut < bytes.size(); ++cut) {
        ASSERT_EQ(read_stream(r.dialect, bytes, {cut}), whole) << r.name << " cut at " << cut;
      }
    }
    std::mt19937 random(7);  // the seed is part of the test
    std::vector<size_t> cuts;
    for (size_t at = 0; at < bytes.size();) {
      cuts.push_back(at);
      at += 1 + random() % 700;
    }
    ASSERT_EQ(read_stream(r.dialect, bytes, cuts), whole) << r.name;
  }
  EXPECT_GT(cut_streams, 5u);
}

TEST(RecordedTranslation, ATruncatedStreamIsAnErrorOrWhole) {
  const auto replies = recordings(true);
  SKIP_WITHOUT_RECORDINGS(replies);
  for (const auto& r : replies) {
    if (is_broken(r) || r.lines.size() > 60) continue;
    const Seen whole = seen_of(build(read_stream(r.dialect, wire_of(r))));
    const auto wire = recorded::wire_events(r);
    std::string bytes;
    for (size_t i = 0; i + 1 < wire.size(); ++i) {
      bytes += wire[i];
      const StreamEvents events = read_stream(r.dialect, bytes);
      ASSERT_FALSE(events.empty()) << r.name;
      if (error_of(events) == nullptr) {
        EXPECT_EQ(seen_of(build(events)), whole) << r.name << " after event " << i;
        continue;
      }
      EXPECT_EQ(events.back().kind, EventKind::error) << r.name << " after event " << i;
      for (const Dialect client : kDialects) {
        const std::string out = write_stream(client, events);
        EXPECT_EQ(out.find("[DONE]"), std::string::npos) << r.name;
        EXPECT_EQ(out.find("message_stop"), std::string::npos) << r.name;
        EXPECT_NE(out.find("error"), std::string::npos) << r.name;
      }
    }
  }
}

// Provider -> client's dialect -> read as the client would: nothing that it can say is lost.
TEST(RecordedTranslation, StreamsArriveInEveryDialect) {
  const auto replies = recordings(true);
  SKIP_WITHOUT_RECORDINGS(replies);
  for (const auto& r : replies) {
    if (is_broken(r)) continue;
    const Reply before = build(read_stream(r.dialect, wire_of(r)));
    for (const Dialect client : kDialects) {
      const std::string bytes = write_stream(client, read_stream(r.dialect, wire_of(r)));
      const StreamEvents events = read_stream(client, bytes);
      const std::string what = r.name + " to " + std::string(to_string(client));
      ASSERT_EQ(error_of(events), nullptr) << what << ": " << error_of(events)->message;
      expect_seen_equal(build(events), before, what);
    }
  }
}

TEST(RecordedTranslation, WholeAnswersArriveInEveryDialect) {
  const auto replies = recordings(false);
  SKIP_WITHOUT_RECORDINGS(replies);
  for (const auto& r : replies) {
    const auto before = read_reply_text(r.dialect, r.body);
    ASSERT_TRUE(before) << r.name;
    for (const Dialect client : kDialects) {
      const std::string what = r.name + " to " + std::string(to_string(client));
      const auto after = read_reply_text(client, write_reply(client, *before, {}));
      ASSERT_TRUE(after) << what;
      expect_seen_equal(*after, *before, what);
      // And as a stream.
      const Reply streamed = build(read_stream(client, write_stream(client, events_of(*before))));
      expect_seen_equal(streamed, *before, what + " streamed");
    }
  }
}

// Signatures and opaque data; Anthropic's answers hold no pictures.
std::multiset<std::string> signatures_of(const Reply& reply, Dialect through) {
  std::multiset<std::string> out;
  for (const Part& part : reply.candidates.at(0).parts) {
    if (part.kind == PartKind::image && through == Dialect::anthropic_messages) continue;
    if (!part.signature.empty()) out.insert(part.signature);
    if (!part.data.empty()) out.insert(part.data);
  }
  return out;
}

// A -> B -> A: ids, signatures and every part that B can say come back as they were.
TEST(RecordedTranslation, ThereAndBackLosesNothing) {
  const auto replies = recordings(true);
  SKIP_WITHOUT_RECORDINGS(replies);
  for (const auto& r : replies) {
    if (is_broken(r)) continue;
    const Reply before = build(read_stream(r.dialect, wire_of(r)));
    for (const Dialect other : kDialects) {
      const std::string what = r.name + " through " + std::string(to_string(other));
      auto there = read_reply_text(other, write_reply(other, before, {}));
      ASSERT_TRUE(there) << what;
      *there = as_sent_back(std::move(*there), other);
      const auto back = read_reply_text(r.dialect, write_reply(r.dialect, *there, {}));
      ASSERT_TRUE(back) << what;
      expect_seen_equal(*back, before, what);
      if (r.dialect != Dialect::bedrock_converse) {
        EXPECT_EQ(back->id, before.id) << what;
        EXPECT_EQ(back->model, before.model) << what;
      }
      EXPECT_EQ(signatures_of(*back, other), signatures_of(before, other)) << what;
    }
  }
}

}  // namespace
}  // namespace weir::dialect
