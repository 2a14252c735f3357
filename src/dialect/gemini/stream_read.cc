#include "base/date.h"
#include "dialect/errors.h"
#include "dialect/gemini/chunks.h"
#include "dialect/gemini/gemini.h"
#include "dialect/usage_json.h"
#include "dialect/wire.h"

namespace weir::dialect::gemini {

StreamEvent& ChunkReader::add(StreamEvents& out, EventKind kind, uint32_t candidate) {
  StreamEvent& event = out.emplace_back();
  event.kind = kind;
  event.candidate = candidate;
  if (candidate < candidates_.size()) event.part = candidates_[candidate].part;
  return event;
}

void ChunkReader::read(json::Value root, StreamEvents& out) {
  if (!started_) {
    started_ = true;
    response_id_ = gemini_field(root, "responseId", "response_id").string_or("");
    StreamEvent& start = add(out, EventKind::start, 0);
    start.id = response_id_;
    start.name = gemini_field(root, "modelVersion", "model_version").string_or("");
    const std::string created = gemini_field(root, "createTime", "create_time").string_or("");
    start.created = parse_rfc3339(created).value_or(0) / 1000;
  }
  const json::Value list = root["candidates"];
  for (const json::Value candidate : list.elements()) read_candidate(candidate, out);
  const json::Value feedback = gemini_field(root, "promptFeedback", "prompt_feedback");
  if (list.size() == 0 && gemini_field(feedback, "blockReason", "block_reason").is_string()) {
    Candidate& blocked = candidate_at(0);
    blocked.finished = true;
    blocked.blocked = true;
  }
  const Usage newer = usage_of_gemini(gemini_field(root, "usageMetadata", "usage_metadata"));
  const Usage before = usage_;
  replace_usage(usage_, newer);
  if (usage_ != before) add(out, EventKind::usage, 0).usage = usage_;
}

ChunkReader::Candidate& ChunkReader::candidate_at(uint32_t index) {
  if (index >= candidates_.size()) candidates_.resize(index + 1);
  return candidates_[index];
}

void ChunkReader::read_candidate(json::Value value, StreamEvents& out) {
  const int64_t index = value["index"].as_int64().value_or(0);
  if (index < 0 || index >= kCandidatesMax) return;
  const auto number = static_cast<uint32_t>(index);
  Candidate& candidate = candidate_at(number);
  for (const json::Value part : value["content"]["parts"].elements()) {
    read_part(part, number, candidate, out);
  }
  const json::Value logprobs = gemini_field(value, "logprobsResult", "logprobs_result");
  if (std::string text = openai_logprobs_of(logprobs); !text.empty()) {
    add(out, EventKind::logprobs, number).text = std::move(text);
  }
  if (gemini_field(value, "groundingMetadata", "grounding_metadata").is_object() ||
      gemini_field(value, "citationMetadata", "citation_metadata").is_object()) {
    candidate.grounding.assign(value.raw());
  }
  const json::Value reason = gemini_field(value, "finishReason", "finish_reason");
  if (!is_gemini_finish(reason)) return;
  candidate.finished = true;
  candidate.finish_reason = reason.string_or("");
}

void ChunkReader::read_part(json::Value value, uint32_t number, Candidate& candidate,
                            StreamEvents& out) {
  const json::Value call = gemini_field(value, "functionCall", "function_call");
  const std::string signature =
      gemini_field(value, "thoughtSignature", "thought_signature").string_or("");
  const bool thought = value["thought"].as_bool().value_or(false);
  if (call.is_object()) {
    read_call(call, signature, number, candidate, out);
  } else if (const auto text = value["text"].as_string()) {
    const PartKind kind = thought ? PartKind::thinking : PartKind::text;
    // An empty text only carries a signature, that of a thinking part where one is open.
    if (!text->empty()) {
      open(kind, number, candidate, out);
      add(out, EventKind::text_delta, number).text = *text;
      if (!thought && candidate.text.size() <= kGroundedBytesMax) candidate.text.append(*text);
    }
    // A thought of which only the signature is shown.
    if (thought && !signature.empty() && !is_open(candidate, PartKind::thinking)) {
      open(PartKind::thinking, number, candidate, out);
    }
    const bool signable =
        is_open(candidate, PartKind::thinking) || is_open(candidate, PartKind::text);
    if (!signature.empty() && signable) sign(signature, number, out);
  } else if (auto media = read_media(value); media && !media->data.empty() && !thought) {
    close(number, candidate, out);
    StreamEvent& start = add(out, EventKind::part_start, number);
    start.part_kind = media->kind;
    start.media_type = media->media_type;
    add(out, EventKind::data, number).text = std::move(media->data);
    add(out, EventKind::part_end, number);
    ++candidate.part;
  } else if (value.is_object() && value.size() > 0 && !media && !thought && signature.empty()) {
    read_native(value, number, candidate, out);
  }
}

void ChunkReader::sign(std::string_view signature, uint32_t number, StreamEvents& out) {
  StreamEvent& event = add(out, EventKind::signature, number);
  event.text = signature;
  event.origin = Dialect::gemini;
}

void ChunkReader::read_native(json::Value value, uint32_t number, Candidate& candidate,
                              StreamEvents& out) {
  Part part = native_part(value);
  close(number, candidate, out);
  StreamEvent& start = add(out, EventKind::part_start, number);
  start.part_kind = PartKind::native;
  start.name = std::move(part.name);
  start.origin = part.origin;
  add(out, EventKind::args_delta, number).text = std::move(part.json);
  add(out, EventKind::part_end, number);
  ++candidate.part;
}

// Citations stand at the end of the stream and are cumulative: the last ones count.
void ChunkReader::cite(uint32_t number, Candidate& candidate, StreamEvents& out) {
  if (candidate.grounding.empty() || !is_open(candidate, PartKind::text)) return;
  json::Document document;
  if (!document.parse(candidate.grounding, {.unique_keys_levels = 0})) return;
  for (Citation& citation : read_grounding(document.root(), candidate.text, candidate.part_begin)) {
    add(out, EventKind::citation, number).citation = std::move(citation);
  }
}

bool ChunkReader::is_open(const Candidate& candidate, PartKind kind) {
  return candidate.open && candidate.open_kind == kind;
}

void ChunkReader::open(PartKind kind, uint32_t number, Candidate& candidate, StreamEvents& out) {
  if (is_open(candidate, kind)) return;
  close(number, candidate, out);
  add(out, EventKind::part_start, number).part_kind = kind;
  candidate.open = true;
  candidate.open_kind = kind;
  candidate.part_begin = candidate.text.size();
}

void ChunkReader::close(uint32_t number, Candidate& candidate, StreamEvents& out) {
  if (!candidate.open) return;
  if (candidate.open_kind == PartKind::tool_call) {
    add(out, EventKind::args_delta, number).text = candidate.args.take();
  }
  add(out, EventKind::part_end, number);
  candidate.open = false;
  ++candidate.part;
}

// A call comes whole, or as a name, pieces of its arguments, and an end that some models leave out:
// {"name":..,"willContinue":true} {"partialArgs":[..],"willContinue":true} {}.
void ChunkReader::read_call(json::Value call, const std::string& signature, uint32_t number,
                            Candidate& candidate, StreamEvents& out) {
  const std::string name = call["name"].string_or("");
  if (!name.empty()) {
    close(number, candidate, out);
    StreamEvent& start = add(out, EventKind::part_start, number);
    start.part_kind = PartKind::tool_call;
    start.name = name;
    start.id = call["id"].string_or("");
    if (start.id.empty()) start.id = call_id(response_id_, name, number, candidate.calls);
    ++candidate.calls;
    candidate.open = true;
    candidate.open_kind = PartKind::tool_call;
    if (!signature.empty()) sign(signature, number, out);
  }
  if (!is_open(candidate, PartKind::tool_call)) return;
  if (call["args"].is_object()) candidate.args.set(call["args"]);
  for (const json::Value piece : gemini_field(call, "partialArgs", "partial_args").elements()) {
    candidate.args.add(piece);
  }
  if (!gemini_field(call, "willContinue", "will_continue").as_bool().value_or(false)) {
    close(number, candidate, out);
  }
}

bool ChunkReader::all_finished() const {
  if (candidates_.empty()) return false;
  for (const Candidate& candidate : candidates_) {
    if (!candidate.finished) return false;
  }
  return true;
}

void ChunkReader::finish(StreamEvents& out) {
  for (uint32_t number = 0; number < candidates_.size(); ++number) {
    Candidate& candidate = candidates_[number];
    cite(number, candidate, out);
    close(number, candidate, out);
    StreamEvent& event = add(out, EventKind::finish, number);
    event.stop = candidate.blocked ? StopReason::content_filter
                 : candidate.finish_reason.empty()
                     ? StopReason::unset
                     : stop_of_gemini(candidate.finish_reason, candidate.calls > 0);
  }
}

namespace {

// The finish of a candidate waits for the end of the stream: usage and late parts may follow it,
// and there is no terminator but the closed connection.
class GeminiStreamReader : public StreamReader {
 public:
  void read(const SseEvent& event, StreamEvents& out) override {
    if (failed_ || event.data.empty()) return;
    json::Document& document = document_;
    if (!document.parse(event.data, {.unique_keys_levels = 0})) {
      fail(out, "the provider sent an event that is not JSON", ApiErrorType::server);
      return;
    }
    const json::Value root = document.root();
    if (root["error"].is_object()) {
      failed_ = true;
      StreamEvent& error = out.emplace_back();
      error.kind = EventKind::error;
      error.error = read_error_json(200, root);
      return;
    }
    chunks_.read(root, out);
  }

  void finish(StreamEvents& out) override {
    if (failed_) return;
    if (!chunks_.all_finished()) {
      fail(out, "the provider's stream ended early", ApiErrorType::unavailable);
      return;
    }
    chunks_.finish(out);
    out.emplace_back().kind = EventKind::end;
    failed_ = true;  // nothing follows the end
  }

 private:
  void fail(StreamEvents& out, std::string_view message, ApiErrorType type) {
    failed_ = true;
    StreamEvent& event = out.emplace_back();
    event.kind = EventKind::error;
    event.error.type = type;
    event.error.status = type == ApiErrorType::unavailable ? 502 : 500;
    event.error.message = message;
  }

  ChunkReader chunks_;
  json::Document document_;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<StreamReader> make_stream_reader() {
  return std::make_unique<GeminiStreamReader>();
}

}  // namespace weir::dialect::gemini
