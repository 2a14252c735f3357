#include "sim/steps.h"

#include <algorithm>

#include "base/json/document.h"
#include "sim/words.h"

namespace weir::sim {
namespace {

using dialect::Dialect;
using dialect::EventKind;
using dialect::StreamEvent;

bool is_generated(EventKind kind) {
  return kind == EventKind::text_delta || kind == EventKind::args_delta;
}

// Anthropic tells the input's usage in the first event, and a ping follows the first block's start.
void add_anthropic_events(dialect::StreamEvents& events, const dialect::Usage& usage) {
  StreamEvent start;
  start.kind = EventKind::usage;
  start.usage = usage;
  start.usage.output = 1;
  start.usage.reasoning = 0;
  events.insert(events.begin() + 1, start);
  const auto first = std::find_if(events.begin(), events.end(), [](const StreamEvent& event) {
    return event.kind == EventKind::part_start;
  });
  if (first != events.end()) events.insert(first + 1, StreamEvent{});  // a ping
}

bool has_event_names(Dialect dialect) {
  return dialect == Dialect::anthropic_messages || dialect == Dialect::openai_responses;
}

}  // namespace

ReplySteps::ReplySteps(const dialect::Reply& reply, Dialect dialect,
                       std::unique_ptr<dialect::StreamWriter> writer, std::string preamble)
    : events_(dialect::events_of(reply)),
      writer_(std::move(writer)),
      preamble_(std::move(preamble)) {
  if (dialect == Dialect::anthropic_messages) add_anthropic_events(events_, reply.usage);
}

bool ReplySteps::write_piece(std::string& out, Step& step) {
  const StreamEvent& event = events_[at_];
  if (offset_ == 0) {
    piece_.kind = event.kind;
    piece_.candidate = event.candidate;
    piece_.part = event.part;
  }
  const std::string_view rest = std::string_view(event.text).substr(offset_);
  const size_t size = token_bytes(rest);
  piece_.text.assign(rest.substr(0, size));
  offset_ += size;
  if (offset_ == event.text.size()) {
    offset_ = 0;
    ++at_;
  }
  writer_->write(piece_, out);
  step.tokens = 1;
  return true;
}

bool ReplySteps::next(std::string& out, Step& step) {
  step = {};
  if (at_ == events_.size()) return false;
  out.append(preamble_);
  preamble_.clear();
  while (at_ < events_.size()) {
    const StreamEvent& event = events_[at_];
    if (is_generated(event.kind) && !event.text.empty()) return write_piece(out, step);
    writer_->write(event, out);
    ++at_;
  }
  return true;
}

void append_raw_chunk(std::string& out, std::string_view chunk, Dialect dialect, bool crlf) {
  const std::string_view end = crlf || dialect == Dialect::gemini ? "\r\n" : "\n";
  if (dialect == Dialect::bedrock_converse) {  // recorded as {NAME: PAYLOAD}
    json::Document document;
    if (document.parse(chunk) && document.root().size() == 1) {
      const auto [name, payload] = *document.root().members().begin();
      out.append("event: ").append(name).append("\ndata: ").append(payload.raw()).append("\n\n");
      return;
    }
  }
  if (has_event_names(dialect)) {
    json::Document document;
    if (document.parse(chunk) && document.root()["type"].is_string()) {
      out.append("event: ").append(document.root()["type"].string_or("")).append(end);
    }
  }
  out.append("data: ").append(chunk).append(end).append(end);
}

RawSteps::RawSteps(const RawReply& raw, Dialect dialect) : raw_(raw), dialect_(dialect) {}

bool RawSteps::next(std::string& out, Step& step) {
  step = {};
  const size_t chunks = raw_.chunks.size();
  const bool done = raw_.terminator &&
                    (dialect_ == Dialect::openai_chat || dialect_ == Dialect::openai_completions);
  const size_t events = chunks + (done ? 1 : 0);
  const size_t wanted = std::max<size_t>(raw_.split, 1);
  while (at_ < events && bytes_.size() - sent_ < wanted) {
    bytes_.erase(0, std::exchange(sent_, 0));
    append_raw_chunk(bytes_, at_ < chunks ? std::string_view(raw_.chunks[at_]) : "[DONE]", dialect_,
                     raw_.crlf);
    ++at_;
  }
  const size_t left = bytes_.size() - sent_;
  if (left == 0) return false;
  const size_t size = raw_.split == 0 ? left : std::min(left, raw_.split);
  out.append(bytes_, sent_, size);
  sent_ += size;
  step.wait = raw_.pause;
  return true;
}

bool ArraySteps::next(std::string& out, Step& step) {
  if (ended_) return false;
  std::string events;
  if (!inner_->next(events, step)) {
    ended_ = true;
    out.append(begun_ ? "]" : "[]");
    return true;
  }
  size_t at = 0;
  for (size_t end = event_end(events, at); end != std::string::npos; end = event_end(events, at)) {
    std::string_view event = std::string_view(events).substr(at, end - at);
    at = end;
    constexpr std::string_view kData = "data: ";
    const size_t data = event.find(kData);
    if (data == std::string_view::npos) continue;
    event = event.substr(data + kData.size());
    event = event.substr(0, event.find_last_not_of("\r\n") + 1);
    out.append(begun_ ? ",\r\n" : "[").append(event);
    begun_ = true;
  }
  return true;
}

size_t event_end(std::string_view bytes, size_t from) {
  const size_t plain = bytes.find("\n\n", from);
  const size_t crlf = bytes.find("\r\n\r\n", from);
  if (plain == std::string_view::npos && crlf == std::string_view::npos) {
    return std::string_view::npos;
  }
  return plain < crlf ? plain + 2 : crlf + 4;
}

size_t count_events(std::string_view bytes) {
  size_t count = 0;
  for (size_t at = event_end(bytes, 0); at != std::string_view::npos; at = event_end(bytes, at)) {
    ++count;
  }
  return count;
}

}  // namespace weir::sim
