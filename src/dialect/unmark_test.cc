#include "dialect/unmark.h"

#include <gtest/gtest.h>

#include "dialect/dialect_testing.h"

namespace weir::dialect {
namespace {

using testing::canonical;

std::string relayed(Dialect own, const std::string& body) {
  json::Document document;
  EXPECT_TRUE(document.parse(body)) << body;
  std::vector<json::Edit> edits;
  append_unmarking(own, document.root(), edits);
  return json::splice(body, std::move(edits));
}

std::string gemini_mark(PartKind kind, Dialect maker) {
  return marked_base64({maker, kind, "", "sig"});
}

TEST(Unmark, WhatAnotherMakerSignedStaysBehind) {
  const std::string foreign = marked({Dialect::gemini, PartKind::thinking, "", "sig"});
  const std::string own = marked({Dialect::anthropic_messages, PartKind::thinking, "", "s"});
  const std::string id = call_id_with("call_1", Dialect::gemini, "AAAA");
  struct Row {
    const char* what;
    Dialect dialect;
    std::string body;
    std::string sent;
  };
  const Row rows[] = {
      {"thinking and calls", Dialect::anthropic_messages,
       R"({"max_tokens": 9, "messages": [{"role":"user","content":"1.50"},{"role":"assistant","content":[)"
       R"({"type":"thinking","thinking":"t","signature":")" +
           foreign +
           R"("},)"
           R"({"type":"redacted_thinking","data":")" +
           foreign +
           R"("},)"
           R"({"type":"tool_use","id":")" +
           id +
           R"(","name":"f","input":{"n":1.50}}]},)"
           R"({"role":"user","content":[{"type":"tool_result","tool_use_id":")" +
           id + R"(","content":"r"}]}]})",
       R"({"max_tokens": 9, "messages": [{"role":"user","content":"1.50"},{"role":"assistant","content":[)"
       R"({"type":"tool_use","id":"call_1","name":"f","input":{"n":1.50}}]},)"
       R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1",)"
       R"("content":"r"}]}]})"},
      {"one's own is as it was", Dialect::anthropic_messages,
       R"({"messages":[{"content":[{"type":"thinking","signature":")" + own + R"("}]}]})",
       R"({"messages":[{"content":[{"type":"thinking","signature":"s"}]}]})"},
      {"a turn of thinking alone", Dialect::anthropic_messages,
       R"({"messages":[{"content":"a"},{"content":[{"signature":")" + foreign + R"("}]}]})",
       R"({"messages":[{"content":"a"}]})"},
      {"citations of other makers", Dialect::anthropic_messages,
       R"({"messages":[{"content":[{"type":"text","text":"t","citations":[)"
       R"({"type":"web_search_result_location","encrypted_index":"weir1."}]}]}]})",
       R"({"messages":[{"content":[{"type":"text","text":"t"}]}]})"},
      {"gemini", Dialect::gemini,
       R"({"contents":[{"parts":[{"text":"","thought":true,"thoughtSignature":")" +
           gemini_mark(PartKind::thinking, Dialect::anthropic_messages) +
           R"("},{"text":"t","thoughtSignature":")" +
           gemini_mark(PartKind::text, Dialect::openai_chat) + R"("}]}]})",
       R"({"contents":[{"parts":[{"text":"t"}]}]})"},
      {"chat", Dialect::openai_chat,
       R"({"messages":[{"role":"assistant","content":"t","reasoning_details":[)"
       R"({"type":"reasoning.text","signature":")" +
           foreign + R"("}]}]})",
       R"({"messages":[{"role":"assistant","content":"t"}]})"},
      {"responses", Dialect::openai_responses,
       R"({"input":[{"type":"reasoning","encrypted_content":")" + foreign +
           R"("},{"type":"function_call","call_id":")" + id + R"("}]})",
       R"({"input":[{"type":"function_call","call_id":"call_1"}]})"},
      {"nothing else to say", Dialect::anthropic_messages,
       R"({"messages":[{"content":[{"signature":")" + foreign + R"("}]}]})",
       R"({"messages":[{"content":[{"signature":")" + foreign + R"("}]}]})"},
      {"a text that looks like a mark", Dialect::anthropic_messages,
       R"({"messages":[{"content":[{"type":"text","text":"weir1. __weir1"}]}]})",
       R"({"messages":[{"content":[{"type":"text","text":"weir1. __weir1"}]}]})"},
  };
  for (const Row& row : rows) {
    EXPECT_TRUE(may_hold_marks(row.body)) << row.what;
    EXPECT_EQ(relayed(row.dialect, row.body), row.sent) << row.what;
  }
}

}  // namespace
}  // namespace weir::dialect
