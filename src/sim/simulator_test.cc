#include "sim/simulator.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/json/document.h"
#include "base/json/writer.h"
#include "base/text.h"
#include "dialect/translate.h"
#include "sim/sim_test_client.h"
#include "sim/words.h"

namespace weir::sim {
namespace {

using dialect::Dialect;
using Answer = SimTestClient::Answer;
using Request = SimTestClient::Request;

// How each dialect asks one question, and reads the answer back.
struct Door {
  std::string_view name;
  Dialect dialect;
  std::string path, stream_path;
  std::string body, stream_body;
};

std::vector<Door> doors() {
  const std::string chat = R"({"model":"m","messages":[{"role":"user","content":"hello"}])";
  const std::string claude =
      R"({"model":"m","max_tokens":99,"messages":[{"role":"user","content":"hello"}])";
  const std::string vertex =
      R"({"anthropic_version":"vertex-2023-10-16","max_tokens":99,"messages":[{"role":"user","content":"hello"}])";
  const std::string gemini = R"({"contents":[{"role":"user","parts":[{"text":"hello"}]}]})";
  const std::string usage = R"(,"stream":true,"stream_options":{"include_usage":true}})";
  const std::string google = "/v1/projects/p/locations/l/publishers/google/models/m";
  const std::string anthropic = "/v1/projects/p/locations/l/publishers/anthropic/models/m";
  const std::string azure = "/openai/deployments/m/chat/completions?api-version=2024-10-21";
  return {
      {"chat", Dialect::openai_chat, "/v1/chat/completions", "/v1/chat/completions", chat + "}",
       chat + usage},
      {"azure", Dialect::openai_chat, azure, azure, chat + "}", chat + usage},
      {"messages", Dialect::anthropic_messages, "/v1/messages", "/v1/messages", claude + "}",
       claude + R"(,"stream":true})"},
      {"gemini", Dialect::gemini, "/v1beta/models/m:generateContent",
       "/v1beta/models/m:streamGenerateContent?alt=sse", gemini, gemini},
      {"vertex gemini", Dialect::gemini, google + ":generateContent",
       google + ":streamGenerateContent?alt=sse", gemini, gemini},
      {"vertex claude", Dialect::anthropic_messages, anthropic + ":rawPredict",
       anthropic + ":streamRawPredict", vertex + "}", vertex + R"(,"stream":true})"},
  };
}

Request request(const Door& door, bool stream) {
  Request out;
  out.path = stream ? door.stream_path : door.path;
  out.body = stream ? door.stream_body : door.body;
  if (door.dialect == Dialect::anthropic_messages) {
    out.headers = {{"anthropic-version", "2023-06-01"}};
  }
  return out;
}

dialect::Reply read_whole(Dialect dialect, const std::string& body) {
  json::Document document;
  EXPECT_TRUE(document.parse(body)) << body;
  auto reply = dialect::read_reply(dialect, document.root());
  EXPECT_TRUE(reply) << body;
  return reply ? std::move(*reply) : dialect::Reply{};
}

struct Streamed {
  dialect::Reply reply;
  bool ended = false;
  std::optional<dialect::ApiError> error;
  size_t deltas = 0;
};

Streamed read_stream(Dialect dialect, const std::string& body) {
  Streamed out;
  dialect::ReplyBuilder builder;
  auto reader = dialect::make_stream_reader(dialect);
  dialect::SseReader sse;
  dialect::StreamEvents events;
  const auto sink = [&](const dialect::SseEvent& event) { reader->read(event, events); };
  EXPECT_TRUE(sse.feed(body, sink));
  EXPECT_TRUE(sse.finish(sink));
  reader->finish(events);
  for (const dialect::StreamEvent& event : events) {
    builder.add(event);
    if (event.kind == dialect::EventKind::text_delta) ++out.deltas;
    if (event.kind == dialect::EventKind::end) out.ended = true;
    if (event.kind == dialect::EventKind::error) out.error = event.error;
  }
  out.reply = builder.take();
  return out;
}

TEST(Simulator, WholeAndStreamedSayTheSameInEveryDialect) {
  for (const Door& door : doors()) {
    SimTestClient client;
    const Answer whole = client.ask(request(door, false));
    ASSERT_EQ(whole.status, 200) << door.name << whole.body;
    const dialect::Reply reply = read_whole(door.dialect, whole.body);
    const Answer stream = client.ask(request(door, true));
    ASSERT_EQ(stream.status, 200) << door.name << stream.body;
    const Streamed streamed = read_stream(door.dialect, stream.body);
    EXPECT_TRUE(streamed.ended) << door.name;
    ASSERT_EQ(streamed.reply.candidates.size(), 1U) << door.name;
    EXPECT_EQ(streamed.reply.candidates[0].parts, reply.candidates[0].parts) << door.name;
    EXPECT_EQ(streamed.reply.usage.total_input(), reply.usage.total_input()) << door.name;
    EXPECT_EQ(streamed.reply.usage.total_output(), reply.usage.total_output()) << door.name;
    EXPECT_EQ(static_cast<int64_t>(streamed.deltas), reply.usage.output) << door.name;

    ASSERT_EQ(client.simulator.calls().calls().size(), 2U);
    for (const Call& call : client.simulator.calls().calls()) {
      EXPECT_EQ(call.outcome, Outcome::whole) << door.name;
      EXPECT_EQ(call.model, "m") << door.name;
      EXPECT_EQ(call.usage.total_output(), reply.usage.total_output()) << door.name;
      EXPECT_EQ(call.output_sent, reply.usage.total_output()) << door.name;
    }
    EXPECT_EQ(client.last().bytes_sent, stream.body.size()) << door.name;
    EXPECT_TRUE(client.last().stream) << door.name;
  }
}

TEST(Simulator, GeminiStreamsAnArrayWithoutSse) {
  SimTestClient client;
  const Answer answer = client.post("/v1beta/models/m:streamGenerateContent",
                                    R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}]})");
  json::Document document;
  ASSERT_TRUE(document.parse(answer.body)) << answer.body;
  EXPECT_TRUE(document.root().is_array());
  EXPECT_GT(document.root().size(), 3U);
}

TEST(Simulator, AzureTellsFilterResults) {
  SimTestClient client;
  const Door azure = doors()[1];
  EXPECT_TRUE(client.ask(request(azure, true))
                  .body.starts_with(R"(data: {"choices":[],"created":0,"id":"")"));
  json::Document document;
  const Answer whole = client.ask(request(azure, false));
  ASSERT_TRUE(document.parse(whole.body));
  EXPECT_TRUE(document.root()["prompt_filter_results"].is_array());
  Request unversioned = request(azure, false);
  unversioned.path = "/openai/deployments/m/chat/completions";
  EXPECT_EQ(client.ask(unversioned).status, 404);
}

TEST(Simulator, PacesTokens) {
  SimConfig config;
  config.latency = {.first_token = Milliseconds(300), .token = Milliseconds(20)};
  SimTestClient client(config);
  const Answer answer = client.ask(request(doors()[0], true));
  EXPECT_EQ(answer.first_byte, Milliseconds(300));
  const auto tokens = client.last().usage.output;
  EXPECT_EQ(answer.ended, Milliseconds(300 + 20 * (tokens - 1)));
  EXPECT_DOUBLE_EQ(client.last().first_byte_ms, 300);
  const Answer whole = client.ask(request(doors()[0], false));
  EXPECT_EQ(whole.first_byte, Milliseconds(300 + 20 * (tokens - 1)));
}

TEST(Simulator, NotesAClientThatGoesAway) {
  SimConfig config;
  config.latency = {.first_token = Milliseconds(10), .token = Milliseconds(20)};
  SimTestClient client(config);
  Request gone = request(doors()[0], true);
  gone.hang_up_after = 900;
  client.ask(gone);
  client.loop.advance(Milliseconds(100));
  ASSERT_EQ(client.simulator.calls().calls().size(), 1U);
  EXPECT_EQ(client.last().outcome, Outcome::aborted);
  EXPECT_LT(client.last().output_sent, client.last().usage.output);
  EXPECT_GT(client.last().output_sent, 0);
}

TEST(Simulator, StatusFaultsSpeakTheDialect) {
  for (const Door& door : doors()) {
    SimTestClient client;
    client.simulator.add_rule(
        R"({"times":1,"fault":{"kind":"status","status":429,"retry_after":"7","message":"slow down"}})");
    const Answer answer = client.ask(request(door, true));
    EXPECT_EQ(answer.status, 429) << door.name;
    EXPECT_EQ(answer.headers.get("retry-after"), "7");
    const dialect::ApiError error = dialect::read_error(door.dialect, answer.status, answer.body);
    EXPECT_EQ(error.type, dialect::ApiErrorType::rate_limit) << door.name;
    EXPECT_EQ(error.message, "slow down");
    EXPECT_EQ(client.last().outcome, Outcome::failed);
    EXPECT_EQ(client.last().fault, "status");
    EXPECT_EQ(client.ask(request(door, false)).status, 200) << "the rule is used up";
  }
}

TEST(Simulator, FaultsBeforeTheHead) {
  struct Case {
    std::string_view rule;
    ErrorCode code;
  };
  for (const Case& c : {
           Case{R"({"fault":{"kind":"reset"}})", ErrorCode::connection_reset},
           Case{R"({"fault":{"kind":"close"}})", ErrorCode::closed},
           Case{R"({"fault":{"kind":"garbage"}})", ErrorCode::protocol_error},
           Case{R"({"fault":{"kind":"oversized_header"}})", ErrorCode::limit_exceeded},
       }) {
    for (const bool stream : {false, true}) {
      SimTestClient client;
      client.simulator.add_rule(c.rule);
      const Answer answer = client.ask(request(doors()[0], stream));
      ASSERT_TRUE(answer.error) << c.rule;
      EXPECT_EQ(to_string(answer.error->code()), to_string(c.code)) << c.rule;
      EXPECT_EQ(client.last().outcome, Outcome::failed) << c.rule;
    }
  }
}

TEST(Simulator, FaultsInTheMiddleOfAStream) {
  for (const Door& door : doors()) {
    for (const std::string_view kind : {"reset", "close", "truncate", "error_event"}) {
      SimTestClient client;
      client.simulator.add_rule(R"({"fault":{"kind":")" + std::string(kind) +
                                R"(","after_events":5,"status":529}})");
      const Answer answer = client.ask(request(door, true));
      EXPECT_EQ(answer.status, 200) << door.name;
      const bool cut = kind == "reset" || kind == "close";
      EXPECT_EQ(answer.error.has_value(), cut) << door.name << kind;
      const Streamed streamed = read_stream(door.dialect, answer.body);
      EXPECT_FALSE(streamed.ended) << door.name << kind;
      EXPECT_TRUE(streamed.error) << door.name << kind;
      if (kind == "error_event") {
        EXPECT_EQ(streamed.error->message, "the simulator was told to fail here") << door.name;
      }
      EXPECT_EQ(client.last().events_sent, 5U) << door.name << kind;
      EXPECT_EQ(client.last().outcome, Outcome::failed) << door.name << kind;
    }
  }
}

TEST(Simulator, StallsBeforeAndWithinAStream) {
  struct Case {
    std::string_view rule;
    bool head;
  };
  for (const Case& c :
       {Case{R"({"fault":{"kind":"stall","duration_ms":5000}})", false},
        Case{R"({"fault":{"kind":"stall","after_events":0,"duration_ms":5000}})", true},
        Case{R"({"fault":{"kind":"stall","after_events":4,"duration_ms":5000}})", true}}) {
    SimTestClient client;
    client.simulator.add_rule(c.rule);
    const Answer answer = client.ask(request(doors()[0], true));
    EXPECT_EQ(answer.first_byte, c.head ? Nanoseconds(0) : Milliseconds(5000)) << c.rule;
    EXPECT_EQ(answer.ended, Milliseconds(5000)) << c.rule;
    EXPECT_TRUE(read_stream(Dialect::openai_chat, answer.body).ended) << c.rule;
  }
}

TEST(Simulator, FaultsOfAWholeBody) {
  SimTestClient client;
  client.simulator.add_rule(R"({"times":1,"fault":{"kind":"truncate"}})");
  const Answer truncated = client.ask(request(doors()[0], false));
  json::Document document;
  EXPECT_FALSE(truncated.error);
  EXPECT_FALSE(document.parse(truncated.body));
  client.simulator.add_rule(R"({"times":1,"fault":{"kind":"garbage_body"}})");
  EXPECT_EQ(client.ask(request(doors()[0], false)).headers.get("content-type"), "text/html");
  client.simulator.add_rule(R"({"times":1,"fault":{"kind":"slow","bytes":10,"pause_ms":100}})");
  const Answer slow = client.ask(request(doors()[0], false));
  EXPECT_EQ(slow.status, 200);
  EXPECT_GE(slow.ended, Milliseconds(100 * (slow.body.size() / 10)));
  client.simulator.add_rule(R"({"times":1,"fault":{"kind":"content_filter"}})");
  const Answer filtered = client.ask(request(doors()[1], false));
  EXPECT_EQ(filtered.status, 400);
  EXPECT_NE(filtered.body.find("ResponsibleAIPolicyViolation"), std::string::npos);
}

TEST(Simulator, ScriptedAnswersByMatch) {
  for (const Door& door : doors()) {
    SimTestClient client;
    client.simulator.add_rule(
        R"({"match":"hell","reply":{"thinking":"hm","text":"scripted","tool_calls":
            [{"name":"get_weather","arguments":{"city":"Oslo"}}],"usage":{"input":50,"cached":20,"output":9}}})");
    const dialect::Reply reply =
        read_stream(door.dialect, client.ask(request(door, true)).body).reply;
    ASSERT_FALSE(reply.candidates.empty()) << door.name;
    const auto& parts = reply.candidates[0].parts;
    const auto call = std::find_if(parts.begin(), parts.end(), [](const dialect::Part& part) {
      return part.kind == dialect::PartKind::tool_call;
    });
    ASSERT_NE(call, parts.end()) << door.name;
    EXPECT_EQ(call->json, R"({"city":"Oslo"})") << door.name;
    EXPECT_EQ(reply.usage.total_input(), 50) << door.name;
    EXPECT_EQ(reply.usage.cache_read, 20) << door.name;
    EXPECT_EQ(reply.candidates[0].stop, dialect::StopReason::tool_use) << door.name;
  }
}

// The second turn of an agent's loop, as each dialect says it.
TEST(Simulator, ScriptsFollowAnAgentInEveryDialect) {
  SimTestClient client;
  const Answer added = client.post("/sim/v1/script",
                                   R"([{"result_of":"read_file","take":{"after":"word: "},
           "reply":{"tool_calls":[{"name":"write_file","arguments":{"content":"${taken}"}}]}},
          {"tool":"read_file","system":"an agent",
           "reply":{"tool_calls":[{"name":"read_file","signature":"c2ln"}]}}])");
  ASSERT_EQ(added.status, 200) << added.body;
  struct Turn {
    std::string path, head, first, second;
  };
  const std::string chat_tools =
      R"("tools":[{"type":"function","function":{"name":"read_file","parameters":{"type":"object"}}}])";
  const std::string claude_tools =
      R"("tools":[{"name":"read_file","input_schema":{"type":"object"}}])";
  const std::vector<Turn> turns = {
      {"/v1/chat/completions",
       R"({"model":"m",)" + chat_tools +
           R"(,"messages":[{"role":"system","content":"an agent"},{"role":"user","content":"go"})",
       "]}",
       R"(,{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"read_file","arguments":"{}"}}]},
          {"role":"tool","tool_call_id":"c1","content":"word: \"amber\""}]})"},
      {"/v1/responses",
       R"({"model":"m","instructions":"an agent","tools":[{"type":"function","name":"read_file"}],
           "input":[{"role":"user","content":"go"})",
       "]}",
       R"(,{"type":"function_call","call_id":"c1","name":"read_file","arguments":"{}"},
          {"type":"function_call_output","call_id":"c1","output":"word: \"amber\""}]})"},
      {"/v1/messages",
       R"({"model":"m","max_tokens":999,"system":"an agent",)" + claude_tools +
           R"(,"messages":[{"role":"user","content":"go"})",
       "]}",
       R"(,{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"read_file","input":{}}]},
          {"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"word: \"amber\""},
                                    {"type":"text","text":"a reminder"}]}]})"},
      {"/v1beta/models/m:generateContent",
       R"({"systemInstruction":{"parts":[{"text":"an agent"}]},
           "tools":[{"functionDeclarations":[{"name":"read_file"}]}],
           "contents":[{"role":"user","parts":[{"text":"go"}]})",
       "]}",
       R"(,{"role":"model","parts":[{"functionCall":{"name":"read_file","args":{}}}]},
          {"role":"user","parts":[{"functionResponse":{"name":"read_file","response":{"output":"word: amber"}}}]}]})"}};
  for (const Turn& turn : turns) {
    Request ask{.path = turn.path, .body = turn.head + turn.first};
    ask.headers = {{"anthropic-version", "2023-06-01"}};
    const Answer first = client.ask(ask);
    EXPECT_NE(first.body.find("read_file"), std::string::npos) << turn.path << first.body;
    // Only Gemini signs calls.
    EXPECT_EQ(first.body.find("c2ln") != std::string::npos,
              turn.path.find(":gen") != std::string::npos)
        << turn.path << first.body;
    ask.body = turn.head + turn.second;
    const Answer second = client.ask(ask);
    EXPECT_NE(second.body.find("write_file"), std::string::npos) << turn.path << second.body;
    EXPECT_NE(second.body.find("amber"), std::string::npos) << turn.path << second.body;
  }
}

TEST(Simulator, RawChunksAreServedAsTheyAre) {
  for (const size_t split : {size_t{0}, size_t{1}, size_t{7}}) {
    SimTestClient client;
    client.simulator.add_rule(R"({"raw":{"chunks":[{"a": 1.0},{"b":"\u00e9"}],"split":)" +
                              std::to_string(split) + "}}");
    EXPECT_EQ(client.ask(request(doors()[0], true)).body,
              "data: {\"a\": 1.0}\n\ndata: {\"b\":\"\\u00e9\"}\n\ndata: [DONE]\n\n");
  }
  SimTestClient client;
  client.simulator.add_rule(R"({"raw":{"chunks":[{"type":"ping"}]}})");
  EXPECT_EQ(client.ask(request(doors()[2], true)).body,
            "event: ping\ndata: {\"type\":\"ping\"}\n\n");
  SimTestClient other;
  other.simulator.add_rule(R"({"raw":{"json":{"x": 1},"status":203,"headers":{"x-test":"y"}}})");
  const Answer whole = other.ask(request(doors()[0], false));
  EXPECT_EQ(whole.body, R"({"x": 1})");
  EXPECT_EQ(whole.status, 203);
  EXPECT_EQ(whole.headers.get("x-test"), "y");
}

// Every recorded stream, in every framing, comes out value for value.
TEST(Simulator, RecordingsAreReplayed) {
  namespace fs = std::filesystem;
  const fs::path root = fs::path(WEIR_SOURCE_DIR) / "../shared/fixtures/recorded-provider-replies";
  if (!fs::is_directory(root)) GTEST_SKIP() << "skipped: " << root << " is not here";
  const std::map<std::string, size_t> doors_by_folder = {
      {"openai-compatible-chat", 0},
      {"deepseek-chat", 0},
      {"groq", 0},
      {"xai", 0},
      {"mistral", 0},
      {"anthropic", 2},
      {"google", 3},
  };
  size_t files = 0;
  for (const auto& [folder, door] : doors_by_folder) {
    if (!fs::is_directory(root / folder)) continue;
    for (const fs::directory_entry& entry : fs::directory_iterator(root / folder)) {
      if (!entry.path().string().ends_with(".chunks.txt")) continue;
      std::ifstream file(entry.path());
      std::stringstream text;
      text << file.rdbuf();
      std::vector<std::string> lines;
      for (const std::string_view line : split(text.view(), '\n')) {
        if (!trim(line).empty()) lines.emplace_back(trim(line));
      }
      SimTestClient client;
      client.simulator.add_rule(R"({"raw":{"split":)" + std::to_string(files % 3 * 61) +
                                R"(,"lines":)" + json::quoted(text.view()) + "}}");
      const Answer answer = client.ask(request(doors()[door], true));
      std::vector<std::string> data;
      dialect::SseReader sse;
      const auto sink = [&](const dialect::SseEvent& event) {
        if (event.data != "[DONE]") data.emplace_back(event.data);
      };
      ASSERT_TRUE(sse.feed(answer.body, sink) && sse.finish(sink)) << entry.path();
      EXPECT_EQ(data, lines) << entry.path();
      ++files;
    }
  }
  EXPECT_GT(files, 20U);
}

TEST(Simulator, RateLimitsByModel) {
  SimConfig config;
  config.models["m"].limits.requests_per_minute = 1;
  SimTestClient client(config);
  const Answer first = client.ask(request(doors()[0], false));
  EXPECT_EQ(first.headers.get("x-ratelimit-remaining-requests"), "0");
  const Answer second = client.ask(request(doors()[0], false));
  EXPECT_EQ(second.status, 429);
  EXPECT_EQ(second.headers.get("retry-after"), "61");
  EXPECT_EQ(client.last().fault, "rate_limit");
  client.loop.advance(std::chrono::seconds(61));
  EXPECT_EQ(
      client.ask(request(doors()[2], false)).headers.get("anthropic-ratelimit-requests-limit"),
      "1");
}

TEST(Simulator, WhatProvidersInsistOn) {
  SimConfig config;
  config.keys = {"sk-good"};
  SimTestClient client(config);
  Request asked = request(doors()[0], false);
  EXPECT_EQ(client.ask(asked).status, 401);
  asked.headers = {{"authorization", "Bearer sk-good"}};
  EXPECT_EQ(client.ask(asked).status, 200);
  EXPECT_EQ(client.last().key_last4, "good");
  Request messages = request(doors()[2], false);
  messages.headers = {{"x-api-key", "sk-good"}};
  EXPECT_EQ(client.ask(messages).status, 400) << "anthropic-version is missing";
  messages.headers.emplace_back("anthropic-version", "2023-06-01");
  messages.body = R"({"model":"m","messages":[{"role":"user","content":"x"}]})";
  EXPECT_EQ(client.ask(messages).status, 400) << "max_tokens is missing";
  asked.body = "{";
  EXPECT_EQ(client.ask(asked).status, 400);
  asked.path = "/nowhere";
  EXPECT_EQ(client.ask(asked).status, 404);
}

TEST(Simulator, ControlPaths) {
  SimTestClient client;
  const Answer added = client.post("/sim/v1/script", R"([{"times":2,"fault":{"status":503}}])");
  EXPECT_EQ(added.body, R"({"ids":[1]})");
  EXPECT_EQ(client.post("/sim/v1/script", R"({"fault":{"kind":"x"}})").status, 400);
  client.ask(request(doors()[0], false));
  EXPECT_NE(client.get("/sim/v1/script").body.find(R"("hits":1,"left":1)"), std::string::npos);
  EXPECT_EQ(client.ask({.path = "/sim/v1/script/1", .method = "DELETE"}).status, 200);
  client.ask(request(doors()[0], false));

  json::Document document;
  const Answer calls = client.get("/sim/v1/calls?since=1");
  ASSERT_TRUE(document.parse(calls.body)) << calls.body;
  ASSERT_EQ(document.root()["calls"].size(), 1U);
  EXPECT_EQ(document.root()["next"].as_int64(), 2);
  const json::Value call = *document.root()["calls"].elements().begin();
  EXPECT_TRUE(call["outcome"].equals("whole"));
  EXPECT_TRUE(call["dialect"].equals("openai_chat"));

  json::Document totals;
  const Answer total = client.get("/sim/v1/totals");
  ASSERT_TRUE(totals.parse(total.body)) << total.body;
  EXPECT_EQ(totals.root()["all"]["calls"].as_int64(), 2);
  EXPECT_EQ(totals.root()["all"]["failed"].as_int64(), 1);
  EXPECT_EQ(totals.root()["models"]["m"]["whole"].as_int64(), 1);
  EXPECT_EQ(totals.root()["running"].as_int64(), 0);
  client.ask({.path = "/sim/v1/calls", .method = "DELETE"});
  EXPECT_EQ(client.simulator.calls().totals().calls, 0U);
  EXPECT_EQ(client.get("/sim/v1/other").status, 404);
}

TEST(Simulator, ResponsesAreStored) {
  SimTestClient client;
  const Answer made = client.post("/v1/responses", R"({"model":"m","input":"hello"})");
  json::Document document;
  ASSERT_TRUE(document.parse(made.body)) << made.body;
  const std::string id = document.root()["id"].string_or("");
  EXPECT_EQ(client.get("/v1/responses/" + id).body, made.body);
  EXPECT_EQ(client.ask({.path = "/v1/responses/" + id, .method = "DELETE"}).status, 200);
  EXPECT_EQ(client.get("/v1/responses/" + id).status, 404);
}

TEST(Simulator, TokensOpenAzureAndVertex) {
  SimConfig config;
  config.require_tokens = true;
  config.token_lifetime = std::chrono::seconds(60);
  SimTestClient client(config);
  const Answer token = client.post("/tenant/oauth2/v2.0/token",
                                   "grant_type=client_credentials&client_id=i&client_secret=s"
                                   "&scope=https://cognitiveservices.azure.com/.default");
  json::Document document;
  ASSERT_TRUE(document.parse(token.body)) << token.body;
  const std::string bearer = "Bearer " + document.root()["access_token"].string_or("");
  for (const size_t door : {size_t{1}, size_t{4}, size_t{5}}) {
    Request asked = request(doors()[door], false);
    asked.headers.emplace_back("authorization", bearer);
    EXPECT_EQ(client.ask(asked).status, 200) << doors()[door].name;
    asked.headers.back().second = "Bearer other";
    EXPECT_EQ(client.ask(asked).status, 401) << doors()[door].name;
  }
  client.loop.advance(std::chrono::seconds(61));
  Request late = request(doors()[4], false);
  late.headers.emplace_back("authorization", bearer);
  EXPECT_EQ(client.ask(late).status, 401);
  Request api_key = request(doors()[1], false);
  api_key.headers.emplace_back("api-key", "any");
  EXPECT_EQ(client.ask(api_key).status, 200) << "keys are no tokens";
  EXPECT_NE(client.get("/sim/v1/tokens").body.find(R"("entra":1)"), std::string::npos);
}

TEST(Simulator, CountsTokensAsItBillsThem) {
  SimTestClient client;
  for (const auto& [count, bill] : {std::pair{2, 2}, std::pair{3, 3}}) {
    const Door door = doors()[static_cast<size_t>(count)];
    Request counted = request(door, false);
    counted.path = count == 2 ? "/v1/messages/count_tokens" : "/v1beta/models/m:countTokens";
    const Answer told = client.ask(counted);
    json::Document document;
    ASSERT_TRUE(document.parse(told.body)) << told.body;
    client.ask(request(doors()[static_cast<size_t>(bill)], false));
    const auto tokens = document.root()[count == 2 ? "input_tokens" : "totalTokens"].as_int64();
    EXPECT_EQ(tokens, client.last().usage.total_input());
  }
}

TEST(Simulator, CallLogIsBounded) {
  SimConfig config;
  config.calls_max = 3;
  SimTestClient client(config);
  for (int i = 0; i < 5; ++i) client.ask(request(doors()[0], false));
  EXPECT_EQ(client.simulator.calls().calls().size(), 3U);
  EXPECT_EQ(client.simulator.calls().dropped(), 2U);
  EXPECT_EQ(client.simulator.calls().totals().calls, 5U);
  json::Document document;
  const Answer answer = client.get("/sim/v1/calls?since=3");
  ASSERT_TRUE(document.parse(answer.body));
  EXPECT_EQ(document.root()["calls"].size(), 2U);
}

TEST(Simulator, File) {
  auto file = parse_sim_file(
      R"({"seed":7,"latency":{"token_ms":5},"models":{"m":{"rpm":3,"output_tokens":9}},
          "keys":["k"],"rules":[{"reply":{"text":"x"}}]})",
      {});
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ(file->config.seed, 7U);
  EXPECT_EQ(file->config.models["m"].limits.requests_per_minute, 3);
  EXPECT_EQ(file->rules.size(), 1U);
  EXPECT_FALSE(parse_sim_file(R"({"sed":7})", {}));
}

}  // namespace
}  // namespace weir::sim
