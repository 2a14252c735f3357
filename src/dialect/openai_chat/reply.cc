#include "base/utf8.h"
#include "dialect/openai_chat/openai_chat.h"
#include "dialect/tools.h"
#include "dialect/usage_json.h"
#include "dialect/usage_write.h"
#include "dialect/wire.h"

namespace weir::dialect::openai_chat {
namespace {

void read_content(json::Value content, std::vector<Part>& parts) {
  if (content.is_string()) {
    std::string text = content.string_or("");
    if (!text.empty()) parts.push_back({.kind = PartKind::text, .text = std::move(text)});
    return;
  }
  for (const json::Value piece : content.elements()) {
    std::string text = piece["text"].string_or("");
    if (!text.empty()) parts.push_back({.kind = PartKind::text, .text = std::move(text)});
  }
}

// The words of a refusal; some servers send "" for none.
void read_refusal(json::Value message, std::vector<Part>& parts) {
  std::string text = message["refusal"].string_or("");
  if (!text.empty()) parts.push_back({.kind = PartKind::refusal, .text = std::move(text)});
}

void read_audio(json::Value message, std::vector<Part>& parts) {
  const json::Value audio = message["audio"];
  if (!audio.is_object()) return;
  // The transcript is what every other dialect can show of it.
  std::string transcript = audio["transcript"].string_or("");
  if (!transcript.empty()) parts.push_back({.kind = PartKind::text, .text = transcript});
  Part part{.kind = PartKind::audio};
  part.data = audio["data"].string_or("");
  parts.push_back(std::move(part));
}

std::string made_call_id(std::string_view reply_id, size_t index) {
  return "call_" + plain_id(reply_id) + "_" + std::to_string(index);
}

void read_calls(json::Value message, std::string_view reply_id, std::vector<Part>& parts) {
  size_t index = 0;
  const auto add = [&](Part part) {
    if (part.id.empty()) part.id = made_call_id(reply_id, index);
    if (part.json.empty() && !part.freeform) part.json = "{}";
    parts.push_back(std::move(part));
    ++index;
  };
  for (const json::Value call : message["tool_calls"].elements()) add(read_tool_call(call));
  const json::Value call = message["function_call"];
  if (!call.is_object()) return;
  Part part{.kind = PartKind::tool_call};
  part.name = call["name"].string_or("");
  part.json = call["arguments"].string_or("");
  add(std::move(part));
}

Candidate read_candidate(json::Value choice, std::string_view reply_id) {
  Candidate out;
  const json::Value message = choice["message"];
  auto text_signature = read_thinking(message, out.parts);
  read_content(message["content"], out.parts);
  sign_text(out.parts, std::move(text_signature));
  if (!out.parts.empty() && out.parts.back().kind == PartKind::text) {
    for (const json::Value annotation : message["annotations"].elements()) {
      out.parts.back().citations.push_back(read_annotation(annotation, 0));
    }
  }
  read_refusal(message, out.parts);
  read_images(message, out.parts);
  read_audio(message, out.parts);
  const size_t before = out.parts.size();
  read_calls(message, reply_id, out.parts);
  const bool calls = out.parts.size() > before;

  out.stop = stop_of_finish_reason(choice["finish_reason"].string_or(""));
  // A call that the server forgot to mention is still the client's turn.
  if (calls && (out.stop == StopReason::end_turn || out.stop == StopReason::unset)) {
    out.stop = StopReason::tool_use;
  }
  if (out.stop == StopReason::unset) out.stop = StopReason::end_turn;
  if (out.stop == StopReason::end_turn) {
    out.stop_sequence = matched_stop_of(choice);
    if (!out.stop_sequence.empty()) out.stop = StopReason::stop_sequence;
  }
  if (const json::Value logprobs = choice["logprobs"]; logprobs.is_object()) {
    out.logprobs = logprobs.raw();
  }
  return out;
}

void write_annotations(json::Writer& w, const std::vector<Part>& parts) {
  bool open = false;
  int64_t before = 0;
  for (const Part& part : parts) {
    if (part.kind != PartKind::text) continue;
    const auto length = static_cast<int64_t>(utf8_code_points(part.text));
    for (const Citation& citation : part.citations) {
      if (citation.url.empty()) continue;
      if (!open) w.key("annotations").begin_array();
      open = true;
      write_annotation(w, citation, before, length);
    }
    before += length;
  }
  if (open) w.end_array();
}

void write_message(json::Writer& w, const Candidate& candidate, const Context& context) {
  std::string text;
  std::string refusal;
  bool has_text = false;
  bool has_images = false;
  std::vector<const Part*> calls;
  for (const Part& part : candidate.parts) {
    switch (part.kind) {
      case PartKind::text:
        text += part.text;
        has_text = true;
        break;
      case PartKind::refusal:
        refusal += part.text;
        break;
      case PartKind::tool_call:
        calls.push_back(&part);
        break;
      case PartKind::image:
        has_images = true;
        break;
      default:
        break;
    }
  }
  w.begin_object().member("role", "assistant").key("content");
  if (has_text) {
    w.string(text);
  } else {
    w.null();
  }
  w.key("refusal");
  if (refusal.empty()) {
    w.null();
  } else {
    w.string(refusal);
  }
  write_annotations(w, candidate.parts);
  write_thinking(w, candidate.parts);
  if (has_images) {
    w.key("images").begin_array();
    for (const Part& part : candidate.parts) {
      if (part.kind == PartKind::image) write_image_part(w, part);
    }
    w.end_array();
  }
  if (!calls.empty()) {
    w.key("tool_calls").begin_array();
    for (const Part* call : calls) {
      write_tool_call(w, *call, tells_freeform(context.asked, call->name, call->freeform));
    }
    w.end_array();
  }
  w.end_object();
}

}  // namespace

Result<Reply> read_reply(json::Value root) {
  const json::Value choices = root["choices"];
  if (!choices.is_array()) {
    return fail(ErrorCode::protocol_error, "the provider's answer has no choices");
  }
  Reply reply;
  reply.id = root["id"].string_or("");
  reply.model = root["model"].string_or("");
  reply.created = root["created"].as_int64().value_or(0);
  for (const json::Value choice : choices.elements()) {
    if (reply.candidates.size() == ReplyBuilder::kCandidatesMax) break;
    reply.candidates.push_back(read_candidate(choice, reply.id));
  }
  if (reply.candidates.empty()) {
    return fail(ErrorCode::protocol_error, "the provider's answer has no choices");
  }
  reply.usage = usage_of_openai_body(root);
  return reply;
}

std::string write_reply(const Reply& reply, const Context& context) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.member("id", reply.id.empty() ? "chatcmpl-" + context.request_id : reply.id);
  w.member("object", "chat.completion");
  w.member("created", reply.created != 0 ? reply.created : context.now_s);
  w.member("model", context.model.empty() ? reply.model : context.model);
  w.key("choices").begin_array();
  int64_t index = 0;
  for (const Candidate& candidate : reply.candidates) {
    w.begin_object().member("index", index++).key("message");
    write_message(w, candidate, context);
    w.key("logprobs").raw(candidate.logprobs.empty() ? "null" : candidate.logprobs);
    w.member("finish_reason", finish_reason_of_stop(candidate.stop));
    w.end_object();
  }
  w.end_array().key("usage");
  write_usage_openai(w, reply.usage);
  if (!reply.usage.service_tier.empty()) w.member("service_tier", reply.usage.service_tier);
  w.end_object();
  return out;
}

}  // namespace weir::dialect::openai_chat

namespace weir::dialect {

const Codec& codec_openai_chat() {
  static constexpr Codec kCodec = {
      .read_request = openai_chat::read_request,
      .write_request = openai_chat::write_request,
      .read_reply = openai_chat::read_reply,
      .write_reply = openai_chat::write_reply,
      .make_stream_reader = openai_chat::make_stream_reader,
      .make_stream_writer = openai_chat::make_stream_writer,
  };
  return kCodec;
}

}  // namespace weir::dialect
