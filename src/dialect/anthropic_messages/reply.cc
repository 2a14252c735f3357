#include "dialect/anthropic_messages/anthropic_messages.h"
#include "dialect/reasoning.h"
#include "dialect/signature.h"
#include "dialect/tools.h"
#include "dialect/usage_json.h"
#include "dialect/usage_write.h"
#include "dialect/wire.h"

namespace weir::dialect::anthropic_messages {
namespace {

constexpr Dialect kOwn = Dialect::anthropic_messages;

void read_block(json::Value block, std::vector<Part>& parts) {
  const json::Value type = block["type"];
  Part part;
  if (type.equals("text")) {
    part.text = block["text"].string_or("");
    if (part.text.empty()) return;
    read_citations(block, part.citations);
  } else if (type.equals("thinking")) {
    part.kind = PartKind::thinking;
    part.text = block["thinking"].string_or("");
    part.signature = block["signature"].string_or("");
    part.origin = kOwn;
  } else if (type.equals("redacted_thinking")) {
    part.kind = PartKind::redacted_thinking;
    part.data = block["data"].string_or("");
    part.origin = kOwn;
  } else if (type.equals("tool_use")) {
    const json::Value input = block["input"];
    const std::string json = input.is_object() ? compact_json(input.raw()) : "{}";
    if (block["name"].equals(kJsonToolName)) {
      part.text = json;
    } else {
      part.kind = PartKind::tool_call;
      part.id = block["id"].string_or("");
      part.name = block["name"].string_or("");
      part.json = json;
    }
  } else if (block.is_object()) {
    part = native_part(block);
  } else {
    return;
  }
  parts.push_back(std::move(part));
}

void write_redacted(json::Writer& w, std::string_view data) {
  if (data.empty()) return;  // nobody could read it
  w.begin_object().member("type", "redacted_thinking").member("data", data).end_object();
}

void write_text(json::Writer& w, const Part& part, bool signatures) {
  w.begin_object().member("type", "text").member("text", part.text);
  if (!part.citations.empty()) {
    w.key("citations").begin_array();
    for (const Citation& citation : part.citations) write_citation(w, citation);
    w.end_array();
  }
  w.end_object();
  if (signatures) write_redacted(w, signature_field(part, kOwn));
}

void write_block(json::Writer& w, const Part& part, const Context& context) {
  switch (part.kind) {
    case PartKind::text:
    case PartKind::refusal:
      write_text(w, part, part.kind == PartKind::text && wants_text_signatures(context));
      return;
    case PartKind::thinking:
      w.begin_object().member("type", "thinking").member("thinking", part.text);
      w.member("signature", signature_field(part, kOwn)).end_object();
      return;
    case PartKind::redacted_thinking:
      write_redacted(w, signature_field(part, kOwn));
      return;
    case PartKind::tool_call:
      w.begin_object().member("type", "tool_use");
      w.member("id", call_id_with(part.id, part.origin, part.signature));
      w.member("name", part.name).member_raw("input", arguments_of(part)).end_object();
      return;
    case PartKind::native:
      if (part.origin == kOwn) w.raw(part.json);
      return;
    default:
      return;  // pictures and sound: this API's models give none
  }
}

}  // namespace

Part native_part(json::Value block) {
  Part part{.kind = PartKind::native};
  part.name = block["type"].string_or("");
  part.id = block["id"].string_or("");
  part.json = compact_json(block.raw());
  part.origin = kOwn;
  return part;
}

bool wants_text_signatures(const Context& context) {
  return context.asked == nullptr ||
         (context.asked->reasoning && wanted_budget(*context.asked->reasoning).value_or(-1) != 0);
}

StopReason stop_of_stop_reason(std::string_view reason) {
  if (reason.empty()) return StopReason::unset;
  if (reason == "end_turn") return StopReason::end_turn;
  if (reason == "max_tokens") return StopReason::max_tokens;
  if (reason == "stop_sequence") return StopReason::stop_sequence;
  if (reason == "tool_use") return StopReason::tool_use;
  if (reason == "pause_turn") return StopReason::pause_turn;
  if (reason == "refusal") return StopReason::refusal;
  if (reason == "model_context_window_exceeded") return StopReason::context_window;
  return StopReason::other;
}

std::string_view stop_reason_of_stop(StopReason stop, bool calls) {
  switch (stop) {
    case StopReason::max_tokens:
      return "max_tokens";
    case StopReason::stop_sequence:
      return "stop_sequence";
    case StopReason::tool_use:
      return "tool_use";
    case StopReason::content_filter:
    case StopReason::refusal:
      return "refusal";
    case StopReason::pause_turn:
      return "pause_turn";
    case StopReason::context_window:
      return "model_context_window_exceeded";
    case StopReason::unset:
      return calls ? "tool_use" : "end_turn";
    case StopReason::end_turn:
    case StopReason::malformed_tool_call:
    case StopReason::other:
      return "end_turn";
  }
  return "end_turn";
}

Result<Reply> read_reply(json::Value root) {
  if (!root["content"].is_array()) {
    return fail(ErrorCode::protocol_error, "the provider's answer has no content");
  }
  Reply reply;
  reply.id = root["id"].string_or("");
  reply.model = root["model"].string_or("");
  Candidate& candidate = reply.candidates.emplace_back();
  for (const json::Value block : root["content"].elements()) read_block(block, candidate.parts);
  candidate.stop = stop_of_stop_reason(root["stop_reason"].string_or(""));
  candidate.stop_sequence = root["stop_sequence"].string_or("");
  if (candidate.stop == StopReason::tool_use && !has_call(candidate.parts)) {
    candidate.stop = StopReason::end_turn;  // the call was the answer itself
  }
  reply.usage = usage_of_anthropic(root["usage"]);
  return reply;
}

std::string write_reply(const Reply& reply, const Context& context) {
  static const Candidate kNothing;
  const Candidate& candidate = reply.candidates.empty() ? kNothing : reply.candidates.front();
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.member("id", reply.id.empty() ? "msg_" + context.request_id : reply.id);
  w.member("type", "message").member("role", "assistant");
  w.member("model", context.model.empty() ? reply.model : context.model);
  w.key("content").begin_array();
  for (const Part& part : candidate.parts) write_block(w, part, context);
  w.end_array();
  w.member("stop_reason", stop_reason_of_stop(candidate.stop, has_call(candidate.parts)));
  w.key("stop_sequence");
  if (candidate.stop_sequence.empty()) {
    w.null();
  } else {
    w.string(candidate.stop_sequence);
  }
  w.key("usage");
  write_usage_anthropic(w, reply.usage);
  w.end_object();
  return out;
}

}  // namespace weir::dialect::anthropic_messages

namespace weir::dialect {

const Codec& codec_anthropic_messages() {
  static constexpr Codec kCodec = {
      .read_request = anthropic_messages::read_request,
      .write_request = anthropic_messages::write_request,
      .read_reply = anthropic_messages::read_reply,
      .write_reply = anthropic_messages::write_reply,
      .make_stream_reader = anthropic_messages::make_stream_reader,
      .make_stream_writer = anthropic_messages::make_stream_writer,
  };
  return kCodec;
}

}  // namespace weir::dialect
