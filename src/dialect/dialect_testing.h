// Test support: JSON compared by value, and streams read from bytes and written to bytes.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json/document.h"
#include "base/json/writer.h"
#include "dialect/signature.h"
#include "dialect/translate.h"

namespace weir::dialect::testing {

inline void write_sorted(json::Writer& w, json::Value value) {
  if (value.is_object()) {
    std::map<std::string, json::Value> members;
    for (const auto& [key, member] : value.members()) members.emplace(key, member);
    w.begin_object();
    for (const auto& [key, member] : members) {
      w.key(key);
      write_sorted(w, member);
    }
    w.end_object();
  } else if (value.is_array()) {
    w.begin_array();
    for (const json::Value element : value.elements()) write_sorted(w, element);
    w.end_array();
  } else if (value.is_string()) {
    w.string(value.string_or(""));
  } else {
    w.raw(value.raw());
  }
}

// JSON with sorted keys and no white space: equal texts are equal values.
inline std::string canonical(std::string_view text) {
  json::Document document;
  const auto parsed = document.parse(text, {.unique_keys_levels = 0});
  if (!parsed)
    return "NOT JSON (" + std::string(parsed.error().message()) + "): " + std::string(text);
  std::string out;
  json::Writer w(out);
  write_sorted(w, document.root());
  return out;
}

// The value at a path of members and array indexes ("choices.0.delta"), canonical; "" where
// there is none.
inline std::string at(std::string_view text, std::string_view path) {
  json::Document document;
  if (!document.parse(text, {.unique_keys_levels = 0})) return "NOT JSON: " + std::string(text);
  json::Value value = document.root();
  while (!path.empty()) {
    const std::string name(path.substr(0, path.find('.')));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    if (value.is_array()) {
      json::Value found;
      size_t index = 0;
      for (const json::Value element : value.elements()) {
        if (std::to_string(index++) == name) found = element;
      }
      value = found;
    } else {
      value = value[name];
    }
  }
  return value.exists() ? canonical(value.raw()) : "";
}

inline Result<Conversation> read_request_text(Dialect dialect, std::string_view text,
                                              const Context& context = {}) {
  json::Document document;
  const auto parsed = document.parse(text);
  EXPECT_TRUE(parsed) << text;
  return read_request(dialect, document.root(), context);
}

inline Result<Reply> read_reply_text(Dialect dialect, std::string_view text) {
  json::Document document;
  const auto parsed = document.parse(text, {.unique_keys_levels = 0});
  EXPECT_TRUE(parsed) << text;
  return read_reply(dialect, document.root());
}

// Reads the bytes of a stream, handed over in pieces that end at `cuts`.
inline StreamEvents read_stream(Dialect dialect, std::string_view bytes,
                                const std::vector<size_t>& cuts = {}) {
  StreamEvents events;
  const auto reader = make_stream_reader(dialect);
  SseReader sse;
  const auto sink = [&](const SseEvent& event) { reader->read(event, events); };
  size_t from = 0;
  for (const size_t cut : cuts) {
    EXPECT_TRUE(sse.feed(bytes.substr(from, cut - from), sink));
    from = cut;
  }
  EXPECT_TRUE(sse.feed(bytes.substr(from), sink));
  EXPECT_TRUE(sse.finish(sink));
  reader->finish(events);
  return events;
}

inline std::string write_stream(Dialect dialect, const StreamEvents& events,
                                const Context& context = {}) {
  std::string out;
  const auto writer = make_stream_writer(dialect, context);
  for (const StreamEvent& event : events) writer->write(event, out);
  return out;
}

inline Reply build(const StreamEvents& events) {
  ReplyBuilder builder;
  for (const StreamEvent& event : events) builder.add(event);
  return builder.take();
}

inline const ApiError* error_of(const StreamEvents& events) {
  for (const StreamEvent& event : events) {
    if (event.kind == EventKind::error) return &event.error;
  }
  return nullptr;
}

// The events of a written stream: name and data.
struct Written {
  std::string event;
  std::string data;
  bool operator==(const Written&) const = default;
};
inline std::vector<Written> written_events(std::string_view bytes) {
  std::vector<Written> events;
  SseReader sse;
  EXPECT_TRUE(sse.feed(bytes, [&](const SseEvent& e) {
    events.push_back({std::string(e.event), std::string(e.data)});
  }));
  EXPECT_FALSE(sse.in_event()) << bytes;
  return events;
}

// A stream on one line each, easy to compare: "start", "part text", "text abc", "end" ...
inline std::vector<std::string> summary(const StreamEvents& events) {
  constexpr std::string_view kParts[] = {
      "text",        "image",    "document",          "audio",   "tool_call",
      "tool_result", "thinking", "redacted_thinking", "refusal", "native"};
  std::vector<std::string> lines;
  for (const StreamEvent& e : events) {
    switch (e.kind) {
      case EventKind::start:
        lines.push_back("start " + e.id);
        break;
      case EventKind::part_start:
        lines.push_back("part " + std::string(kParts[static_cast<size_t>(e.part_kind)]) +
                        (e.id.empty() ? "" : " " + e.id + " " + e.name));
        break;
      case EventKind::citation:
        lines.push_back("citation " + e.citation.url + e.citation.title);
        break;
      case EventKind::text_delta:
        lines.push_back("text " + e.text);
        break;
      case EventKind::args_delta:
        lines.push_back("args " + e.text);
        break;
      case EventKind::signature:
        lines.push_back("signature " + e.text);
        break;
      case EventKind::data:
        lines.push_back("data " + e.text);
        break;
      case EventKind::part_end:
        lines.emplace_back("part_end");
        break;
      case EventKind::logprobs:
        lines.push_back("logprobs " + e.text);
        break;
      case EventKind::finish:
        lines.push_back("finish " + std::to_string(static_cast<int>(e.stop)));
        break;
      case EventKind::usage:
        lines.push_back("usage " + std::to_string(e.usage.total_input()) + " " +
                        std::to_string(e.usage.total_output()));
        break;
      case EventKind::ping:
        lines.emplace_back("ping");
        break;
      case EventKind::error:
        lines.push_back("error " + e.error.code);
        break;
      case EventKind::end:
        lines.emplace_back("end");
        break;
    }
  }
  return lines;
}

// An answer with the marks that a client of that dialect sends back taken off: what the request
// reader makes of it.
inline Reply as_sent_back(Reply reply, Dialect client) {
  for (Candidate& candidate : reply.candidates) {
    std::vector<Part> parts;
    for (Part& part : candidate.parts) {
      if (part.kind == PartKind::tool_call && part.signature.empty()) {
        CallId id = read_call_id(part.id);
        part.id = std::move(id.id);
        part.signature = std::move(id.signature);
        part.origin = id.origin;
      } else if (part.kind == PartKind::thinking || part.kind == PartKind::redacted_thinking) {
        std::string& value = part.kind == PartKind::redacted_thinking ? part.data : part.signature;
        const std::string field = std::exchange(value, {});
        if (client == Dialect::gemini) {
          read_signature_field_base64(part, field, client);
        } else if (client == Dialect::anthropic_messages) {
          read_signature_field(part, field, client);
        } else {
          value = field;  // the reader of answers has taken the mark off
        }
        if (part.kind == PartKind::text && !parts.empty()) {
          parts.back().signature = part.signature;
          parts.back().origin = part.origin;
          continue;
        }
      }
      parts.push_back(std::move(part));
    }
    candidate.parts = std::move(parts);
  }
  return reply;
}

}  // namespace weir::dialect::testing
