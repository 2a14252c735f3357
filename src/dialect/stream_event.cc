#include "dialect/stream_event.h"

#include "base/json/document.h"

namespace weir::dialect {

std::string_view to_string(ApiErrorType type) {
  switch (type) {
    case ApiErrorType::invalid_request:
      return "invalid_request";
    case ApiErrorType::authentication:
      return "authentication";
    case ApiErrorType::permission:
      return "permission";
    case ApiErrorType::not_found:
      return "not_found";
    case ApiErrorType::too_large:
      return "too_large";
    case ApiErrorType::rate_limit:
      return "rate_limit";
    case ApiErrorType::quota:
      return "quota";
    case ApiErrorType::content_filter:
      return "content_filter";
    case ApiErrorType::server:
      return "server";
    case ApiErrorType::unavailable:
      return "unavailable";
    case ApiErrorType::overloaded:
      return "overloaded";
    case ApiErrorType::timeout:
      return "timeout";
  }
  return "server";
}
namespace {

constexpr std::string_view kLogprobsHead = R"({"content":[)";
constexpr std::string_view kLogprobsTail = R"(],"refusal":null})";

// Chunks of a stream each carry a logprobs object for their own tokens: the whole one has all
// tokens in `content`. What is not of that form stays as it is.
void append_logprobs(std::string& whole, std::string_view object) {
  json::Document document;
  if (!document.parse(object)) return;
  const json::Value content = document.root()["content"];
  if (!content.is_array() || document.root()["refusal"].is_array()) {
    if (whole.empty()) whole.assign(object);
    return;
  }
  std::string_view tokens = content.raw();
  tokens = tokens.substr(1, tokens.size() - 2);
  if (!whole.starts_with(kLogprobsHead) || !whole.ends_with(kLogprobsTail)) {
    whole.assign(kLogprobsHead).append(tokens).append(kLogprobsTail);
    return;
  }
  whole.resize(whole.size() - kLogprobsTail.size());
  if (content.size() > 0) {
    if (whole.size() > kLogprobsHead.size()) whole.push_back(',');
    whole.append(tokens);
  }
  whole.append(kLogprobsTail);
}

class EventList {
 public:
  explicit EventList(StreamEvents& events) : events_(events) {}

  StreamEvent& add(EventKind kind) {
    StreamEvent& event = events_.emplace_back();
    event.kind = kind;
    event.candidate = candidate;
    event.part = part;
    return event;
  }
  void add_text(EventKind kind, const std::string& text) {
    if (!text.empty()) add(kind).text = text;
  }

  uint32_t candidate = 0;
  uint32_t part = 0;

 private:
  StreamEvents& events_;
};

void add_signature(EventList& list, const Part& part) {
  if (part.signature.empty()) return;
  StreamEvent& event = list.add(EventKind::signature);
  event.text = part.signature;
  event.origin = part.origin;
}

void add_part(EventList& list, const Part& part) {
  StreamEvent& start = list.add(EventKind::part_start);
  start.part_kind = part.kind;
  start.id = part.id;
  start.name = part.name;
  start.media_type = part.media_type;
  start.origin = part.origin;
  start.freeform = part.freeform;
  list.add_text(EventKind::text_delta, part.text);
  // Before the arguments: OpenAI's writer puts it on the chunk that opens the call.
  if (part.kind == PartKind::tool_call) add_signature(list, part);
  list.add_text(EventKind::args_delta, part.json);
  if (part.kind != PartKind::tool_call) add_signature(list, part);
  list.add_text(EventKind::data, part.data);
  for (const Citation& citation : part.citations) {
    list.add(EventKind::citation).citation = citation;
  }
  list.add(EventKind::part_end);
}

}  // namespace

void ReplyBuilder::add(const StreamEvent& event) {
  switch (event.kind) {
    case EventKind::start:
      reply_.id = event.id;
      reply_.model = event.name;
      reply_.created = event.created;
      return;
    case EventKind::usage:
      reply_.usage.merge(event.usage);
      return;
    case EventKind::ping:
    case EventKind::error:
    case EventKind::end:
      return;
    default:
      break;
  }
  if (event.candidate >= kCandidatesMax) return;
  if (event.candidate >= reply_.candidates.size()) reply_.candidates.resize(event.candidate + 1);
  Candidate& candidate = reply_.candidates[event.candidate];
  if (event.kind == EventKind::finish) {
    candidate.stop = event.stop;
    candidate.stop_sequence = event.name;
    return;
  }
  if (event.kind == EventKind::logprobs) {
    append_logprobs(candidate.logprobs, event.text);
    return;
  }
  if (event.kind == EventKind::part_start) {
    Part& part = candidate.parts.emplace_back();
    part.kind = event.part_kind;
    part.id = event.id;
    part.name = event.name;
    part.media_type = event.media_type;
    part.origin = event.origin;
    part.freeform = event.freeform;
    return;
  }
  if (candidate.parts.empty()) return;
  Part& part = candidate.parts.back();
  switch (event.kind) {
    case EventKind::text_delta:
      part.text.append(event.text);
      break;
    case EventKind::args_delta:
      part.json.append(event.text);
      break;
    case EventKind::citation:
      part.citations.push_back(event.citation);
      break;
    case EventKind::signature:
      if (event.origin != Dialect::passthrough) part.origin = event.origin;
      part.signature.append(event.text);
      break;
    case EventKind::data:
      part.data.append(event.text);
      break;
    case EventKind::part_end:
      if (part.kind == PartKind::tool_call && !part.freeform && part.json.empty()) part.json = "{}";
      break;
    default:
      break;
  }
}

StreamEvents events_of(const Reply& reply) {
  StreamEvents events;
  EventList list(events);
  StreamEvent& start = list.add(EventKind::start);
  start.id = reply.id;
  start.name = reply.model;
  start.created = reply.created;
  for (const Candidate& candidate : reply.candidates) {
    list.part = 0;
    for (const Part& part : candidate.parts) {
      add_part(list, part);
      ++list.part;
    }
    list.add_text(EventKind::logprobs, candidate.logprobs);
    StreamEvent& finish = list.add(EventKind::finish);
    finish.stop = candidate.stop;
    finish.name = candidate.stop_sequence;
    ++list.candidate;
  }
  list.candidate = 0;
  list.part = 0;
  if (reply.usage != Usage{}) list.add(EventKind::usage).usage = reply.usage;
  list.add(EventKind::end);
  return events;
}

}  // namespace weir::dialect
