#include "dialect/signature.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/encoding.h"

namespace weir::dialect {
namespace {

constexpr Dialect kMakers[] = {Dialect::openai_chat, Dialect::openai_responses,
                               Dialect::anthropic_messages, Dialect::gemini,
                               Dialect::bedrock_converse};

const std::string kValues[] = {
    "EqQBCkYIBRgCKkA=",
    "AVSoXO+/abc==",
    "a",
    "with.dots.and weir1. inside",
    std::string("\x01\xFFnot text", 10),
    std::string(20'000, 'A'),
};

TEST(Signature, EveryFormGivesTheValueBack) {
  for (const Dialect maker : kMakers) {
    for (const std::string& value : kValues) {
      for (const PartKind kind : {PartKind::thinking, PartKind::redacted_thinking}) {
        for (const std::string id : {"", "rs_0123abc"}) {
          const Signed what{maker, kind, id, value};
          for (const Signed& got : {unmarked(marked(what)), unmarked_base64(marked_base64(what))}) {
            EXPECT_EQ(got.origin, maker);
            EXPECT_EQ(got.kind, kind);
            EXPECT_EQ(got.id, id);
            EXPECT_EQ(got.value, value);
          }
        }
      }
      const CallId call = read_call_id(call_id_with("call_1", maker, value));
      EXPECT_EQ(call.id, "call_1");
      EXPECT_EQ(call.origin, maker);
      EXPECT_EQ(call.signature, value);
    }
  }
}

TEST(Signature, ClientsMayWriteBytesInTheirOwnAlphabet) {
  const Signed what{Dialect::anthropic_messages, PartKind::thinking, "", "\xFB\xFF\xFE?>?>"};
  std::string text = marked_base64(what);
  ASSERT_NE(text.find_first_of("+/="), std::string::npos) << text;
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  EXPECT_EQ(unmarked_base64(text).value, what.value);
  text.erase(text.find_last_not_of('=') + 1);
  EXPECT_EQ(unmarked_base64(text).value, what.value);
}

TEST(Signature, CallIdsAreWhatEveryProviderAccepts) {
  for (const std::string& value : kValues) {
    for (const char c : call_id_with("toolu_01-A", Dialect::gemini, value)) {
      EXPECT_TRUE(isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-') << c;
    }
  }
  // Canonical base64 costs no more than the mark.
  EXPECT_LE(call_id_with("c", Dialect::gemini, std::string(4'000, 'A')).size(), 4'030u);
}

TEST(Signature, AMarkInsideAMarkIsAValue) {
  // "//weir1ga..." in the other alphabet is what a mark begins with.
  const std::string tricky = "AAAA//weir1gb000";
  EXPECT_EQ(read_call_id(call_id_with("c", Dialect::gemini, tricky)).signature, tricky);
  EXPECT_EQ(read_call_id(call_id_with("c", Dialect::gemini, tricky)).id, "c");
  // Weir behind Weir: the outer mark comes off first.
  const std::string inner = call_id_with("c", Dialect::gemini, "AAAA");
  const CallId outer = read_call_id(call_id_with(inner, Dialect::openai_chat, "BBBB"));
  EXPECT_EQ(outer.id, inner);
  EXPECT_EQ(outer.signature, "BBBB");
}

TEST(Signature, AnIdCutShortLosesTheSignatureOnly) {
  const std::string id = call_id_with("call_7", Dialect::gemini, "EqQBCkYIBRgCKkA=");
  for (size_t size = 6; size < id.size(); ++size) {
    const CallId got = read_call_id(id.substr(0, size));
    EXPECT_TRUE(got.signature.empty()) << size;
    EXPECT_TRUE(got.id.starts_with("call_7")) << size;
  }
}

TEST(Signature, WhatHasNoMarkIsTheValue) {
  for (const std::string field :
       {"", "EqQBCkYIBRgCKkA=", "weir1", "weir1.", "weir1.a", "weir1.x.s..v", "weir1.a.x..v",
        "weir1.a.s.no-dot", "weir2.a.s..v"}) {
    EXPECT_EQ(unmarked(field).origin, Dialect::passthrough) << field;
    EXPECT_EQ(unmarked(field).value, field);
    EXPECT_EQ(unmarked_base64(field).origin, Dialect::passthrough) << field;
    EXPECT_EQ(unmarked_base64(field).value, field);
  }
  for (const std::string id :
       {"", "call_1", "__weir1", "__weir1gb00000000_AA", "call__weir1", "call__weir1x0"}) {
    EXPECT_EQ(read_call_id(id).id, id);
    EXPECT_EQ(read_call_id(id).signature, "");
  }
}

TEST(Signature, WhatIsTooLongOrOfUnknownMakeIsNotCarried) {
  EXPECT_EQ(marked({Dialect::gemini, PartKind::thinking, "", ""}), "");
  EXPECT_EQ(marked({Dialect::passthrough, PartKind::thinking, "", "v"}), "");
  EXPECT_EQ(marked({Dialect::gemini, PartKind::tool_call, "", "v"}), "");
  EXPECT_EQ(
      marked({Dialect::gemini, PartKind::thinking, "", std::string(kSignatureBytesMax + 1, 'A')}),
      "");
  EXPECT_EQ(marked_base64({Dialect::passthrough, PartKind::thinking, "", "v"}), "");
  EXPECT_EQ(call_id_with("c", Dialect::gemini, std::string(kCallSignatureBytesMax + 1, 'A')), "c");
  EXPECT_EQ(call_id_with("c", Dialect::passthrough, "AAAA"), "c");
}

TEST(Signature, PartsKeepMakerKindAndId) {
  Part thought{.kind = PartKind::thinking, .text = "t", .id = "rs_1", .signature = "enc"};
  thought.origin = Dialect::openai_responses;
  for (const Dialect client : {Dialect::anthropic_messages, Dialect::openai_chat}) {
    Part back{.kind = PartKind::thinking, .text = "t"};
    read_signature_field(back, signature_field(thought, client), client);
    EXPECT_EQ(back, thought);
  }
  Part back{.kind = PartKind::thinking, .text = "t"};
  read_signature_field_base64(back, signature_field_base64(thought, Dialect::gemini),
                              Dialect::gemini);
  EXPECT_EQ(back, thought);

  Part redacted{.kind = PartKind::redacted_thinking, .data = "opaque"};
  redacted.origin = Dialect::anthropic_messages;
  Part other{.kind = PartKind::thinking};
  read_signature_field_base64(other, signature_field_base64(redacted, Dialect::gemini),
                              Dialect::gemini);
  EXPECT_EQ(other, redacted);
  // The maker's own clients get it as it is, and what they send is theirs.
  EXPECT_EQ(signature_field(redacted, Dialect::anthropic_messages), "opaque");
  Part own{.kind = PartKind::redacted_thinking};
  read_signature_field(own, "opaque", Dialect::anthropic_messages);
  EXPECT_EQ(own, redacted);
}

TEST(Signature, ClaudeReadsItsOwnEverywhere) {
  for (const Dialect target : kMakers) {
    for (const Dialect origin : kMakers) {
      const bool claude =
          (target == Dialect::anthropic_messages || target == Dialect::bedrock_converse) &&
          (origin == Dialect::anthropic_messages || origin == Dialect::bedrock_converse);
      EXPECT_EQ(can_read(target, origin), target == origin || claude);
    }
  }
}

TEST(Signature, BodiesWithMarksAreFound) {
  const Signed what{Dialect::gemini, PartKind::thinking, "", "v"};
  EXPECT_TRUE(may_hold_marks("{\"signature\":\"" + marked(what) + "\"}"));
  EXPECT_TRUE(may_hold_marks("{\"thoughtSignature\":\"" + marked_base64(what) + "\"}"));
  EXPECT_TRUE(may_hold_marks("{\"id\":\"" + call_id_with("a", Dialect::gemini, "AAAA") + "\"}"));
  EXPECT_FALSE(may_hold_marks(R"({"text":"a weir1 is no mark"})"));
}

TEST(Signature, LongIdsAreShortenedTheSameWay) {
  const std::string shared(100, 'x');
  EXPECT_EQ(short_id("call_1", 64), "call_1");
  EXPECT_EQ(short_id("call:1", 64), "call_1");
  EXPECT_EQ(short_id(std::string(64, 'x'), 64), std::string(64, 'x'));
  EXPECT_EQ(short_id(shared + "a", 64).size(), 64u);
  EXPECT_EQ(short_id(shared + "a", 64), short_id(shared + "a", 64));
  EXPECT_NE(short_id(shared + "a", 64), short_id(shared + "b", 64));
}

}  // namespace
}  // namespace weir::dialect
