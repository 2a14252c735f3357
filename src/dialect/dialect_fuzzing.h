// Fuzzing support: one input drives a dialect's request reader, reply reader and stream reader, and
// everything that they accept is written in every dialect. What must hold for any bytes is checked
// and stops the program: bodies are valid JSON, streams are whole events, and nothing follows an
// error.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/json/document.h"
#include "dialect/translate.h"

namespace weir::dialect::fuzzing {

inline constexpr Dialect kDialects[] = {Dialect::openai_chat, Dialect::anthropic_messages,
                                        Dialect::gemini, Dialect::bedrock_converse,
                                        Dialect::openai_responses};

inline void require(bool holds, const char* what, std::string_view text) {
  if (holds) return;
  std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(text.size()), text.data());
  std::abort();
}

inline void require_json(std::string_view text, const char* what) {
  json::Document document;
  require(document.parse(text, {.depth_max = 1024, .unique_keys_levels = 0}).has_value(), what,
          text);
}

// Written streams hold JSON only, but for OpenAI's terminator.
inline void require_stream(std::string_view bytes) {
  SseReader reader;
  bool over = false;
  const auto fed = reader.feed(bytes, [&](const SseEvent& event) {
    require(!over, "an event behind the error", bytes);
    if (event.data == "[DONE]") return;
    json::Document document;
    require(document.parse(event.data, {.depth_max = 1024, .unique_keys_levels = 0}).has_value(),
            "an event that is no JSON", event.data);
    const json::Value error = document.root()["error"];
    over = error.exists() && !error.is_null();
  });
  require(fed.has_value() && !reader.in_event(), "a stream that ends inside an event", bytes);
}

// An answer that calls every tool of the request, in the client's words.
inline void run_answer(Dialect dialect, const Conversation& asked) {
  if (!can_translate(dialect, dialect)) return;
  Reply reply{.id = "r", .model = "m"};
  Candidate& candidate = reply.candidates.emplace_back();
  for (const Tool& tool : asked.tools) {
    Part call{.kind = PartKind::tool_call, .id = "c", .name = tool.name};
    call.json = reply.candidates[0].parts.size() % 2 == 0 ? R"({"input":"x"})" : "{\"comm";
    candidate.parts.push_back(std::move(call));
  }
  candidate.stop = StopReason::tool_use;
  const Context context{.asked = &asked};
  require_json(write_reply(dialect, reply, context), "an answer that is no JSON");
  std::string stream;
  const auto writer = make_stream_writer(dialect, context);
  for (const StreamEvent& event : events_of(reply)) writer->write(event, stream);
  require_stream(stream);
}

inline void run_request(Dialect dialect, std::string_view text) {
  json::Document document;
  if (!document.parse(text)) return;
  const auto conversation = read_request(dialect, document.root(), {});
  if (!conversation) return;
  run_answer(dialect, *conversation);
  for (const Dialect target : kDialects) {
    if (!can_translate(dialect, target)) continue;
    Context context;
    context.model = "claude-sonnet-4-5";
    Dropped dropped;
    const auto body = write_request(target, *conversation, context, dropped);
    if (!body) continue;
    require_json(*body, "a request body that is no JSON");
    // What a writer writes, its reader takes.
    json::Document again;
    if (!again.parse(*body)) continue;  // a client's schema may repeat a name
    const auto read_again = read_request(target, again.root(), context);
    require(read_again.has_value(), "a request that its own reader refuses", *body);
  }
}

inline void run_reply(Dialect dialect, std::string_view text) {
  json::Document document;
  if (!document.parse(text, {.unique_keys_levels = 0})) return;
  const auto reply = read_reply(dialect, document.root());
  if (!reply) return;
  for (const Dialect target : kDialects) {
    if (!can_translate(target, target)) continue;
    require_json(write_reply(target, *reply, {}), "an answer that is no JSON");
    std::string stream;
    const auto writer = make_stream_writer(target, {});
    for (const StreamEvent& event : events_of(*reply)) writer->write(event, stream);
    require_stream(stream);
  }
}

inline StreamEvents read_stream(Dialect dialect, std::string_view bytes, size_t cut) {
  StreamEvents events;
  const auto reader = make_stream_reader(dialect);
  SseReader sse;
  const auto sink = [&](const SseEvent& event) { reader->read(event, events); };
  if (sse.feed(bytes.substr(0, cut), sink) && sse.feed(bytes.substr(cut), sink)) {
    (void)sse.finish(sink);
  }
  reader->finish(events);
  return events;
}

inline void run_stream(Dialect dialect, std::string_view bytes, size_t cut) {
  const StreamEvents events = read_stream(dialect, bytes, cut);
  require(events == read_stream(dialect, bytes, bytes.size()), "a cut changes events", bytes);
  require(!events.empty() &&
              (events.back().kind == EventKind::end || events.back().kind == EventKind::error),
          "a stream without an end", bytes);
  bool open[ReplyBuilder::kCandidatesMax] = {};
  for (const StreamEvent& event : events) {
    if (event.kind == EventKind::part_start) {
      require(!open[event.candidate], "parts that overlap", bytes);
      open[event.candidate] = true;
    }
    if (event.kind == EventKind::part_end) open[event.candidate] = false;
  }
  ReplyBuilder builder;
  for (const StreamEvent& event : events) builder.add(event);
  for (const Dialect target : kDialects) {
    if (!can_translate(target, target)) continue;
    std::string stream;
    const auto writer = make_stream_writer(target, {});
    for (const StreamEvent& event : events) writer->write(event, stream);
    require_stream(stream);
    require_json(write_reply(target, builder.reply(), {}), "an answer that is no JSON");
  }
}

// The first byte chooses what the rest is: a request, an answer, or a stream and where it is cut.
inline void run(Dialect dialect, const uint8_t* data, size_t size) {
  if (size == 0) return;
  const uint8_t what = data[0];
  const std::string text(data + 1, data + size);
  if (what % 4 == 0) run_request(dialect, text);
  if (what % 4 == 1) run_reply(dialect, text);
  if (what % 4 >= 2) run_stream(dialect, text, text.empty() ? 0 : what * 31U % text.size());
}

}  // namespace weir::dialect::fuzzing
