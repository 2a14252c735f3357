#include "dialect/anthropic_messages/anthropic_messages.h"
#include "dialect/bedrock_converse/bedrock_converse.h"
#include "dialect/tools.h"
#include "dialect/usage_json.h"
#include "dialect/wire.h"

namespace weir::dialect::bedrock_converse {
namespace {

using anthropic_messages::kJsonToolName;

void read_block(json::Value block, std::vector<Part>& parts) {
  Part part;
  if (const json::Value text = block["text"]; text.is_string()) {
    part.text = text.string_or("");
    if (part.text.empty()) return;
  } else if (const json::Value use = block["toolUse"]; use.is_object()) {
    if (use["type"].exists()) return;  // a tool that the provider ran itself
    const json::Value input = use["input"];
    const std::string json = input.is_object() ? compact_json(input.raw()) : "{}";
    if (use["name"].equals(kJsonToolName)) {
      part.text = json;
    } else {
      part.kind = PartKind::tool_call;
      part.id = use["toolUseId"].string_or("");
      part.name = use["name"].string_or("");
      part.json = json;
    }
  } else if (const json::Value reasoning = block["reasoningContent"]; reasoning.is_object()) {
    part.origin = Dialect::bedrock_converse;
    if (reasoning["redactedContent"].is_string()) {
      part.kind = PartKind::redacted_thinking;
      part.data = reasoning["redactedContent"].string_or("");
    } else {
      part.kind = PartKind::thinking;
      part.text = reasoning["reasoningText"]["text"].string_or("");
      part.signature = reasoning["reasoningText"]["signature"].string_or("");
    }
  } else if (const json::Value cited = block["citationsContent"]; cited.is_object()) {
    for (const json::Value piece : cited["content"].elements()) {
      part.text += piece["text"].string_or("");
    }
    for (const json::Value citation : cited["citations"].elements()) {
      part.citations.push_back(read_citation(citation));
    }
  } else if (const json::Value image = block["image"]; image.is_object()) {
    Dropped ignored;
    part = read_source_block(PartKind::image, image, "image", ignored);
  } else {
    return;  // what a provider's own tools say, or a block that is not known yet
  }
  parts.push_back(std::move(part));
}

void write_block(json::Writer& w, const Part& part) {
  switch (part.kind) {
    case PartKind::text:
    case PartKind::refusal:
      if (part.citations.empty()) {
        w.begin_object().member("text", part.text).end_object();
        return;
      }
      w.begin_object().key("citationsContent").begin_object();
      w.key("content").begin_array().begin_object().member("text", part.text);
      w.end_object().end_array().key("citations").begin_array();
      for (const Citation& citation : part.citations) write_citation(w, citation);
      w.end_array().end_object().end_object();
      return;
    case PartKind::thinking:
      w.begin_object().key("reasoningContent").begin_object();
      w.key("reasoningText").begin_object().member("text", part.text);
      if (!part.signature.empty()) w.member("signature", part.signature);
      w.end_object().end_object().end_object();
      return;
    case PartKind::redacted_thinking:
      w.begin_object().key("reasoningContent").begin_object();
      w.member("redactedContent", part.data).end_object().end_object();
      return;
    case PartKind::tool_call:
      w.begin_object().key("toolUse").begin_object().member("toolUseId", part.id);
      w.member("name", part.name);
      w.member_raw("input", object_text(part.json)).end_object().end_object();
      return;
    case PartKind::image:
      if (!has_source(part)) return;
      w.begin_object().key("image");
      write_source_block(w, part, {});
      w.end_object();
      return;
    default:
      return;
  }
}

}  // namespace

// Claude's own words come through, and the API's are nearly the same.
StopReason stop_of_stop_reason(std::string_view reason) {
  if (reason == "guardrail_intervened" || reason == "content_filtered") {
    return StopReason::content_filter;
  }
  if (reason == "malformed_tool_use") return StopReason::malformed_tool_call;
  return anthropic_messages::stop_of_stop_reason(reason);
}

std::string_view stop_reason_of_stop(StopReason stop, bool calls) {
  if (stop == StopReason::content_filter) return "content_filtered";
  if (stop == StopReason::malformed_tool_call) return "malformed_tool_use";
  return anthropic_messages::stop_reason_of_stop(stop, calls);
}

void write_usage(json::Writer& w, const Usage& usage) {
  const int64_t input = usage.input + usage.input_audio + usage.input_image;
  const int64_t written = usage.cache_write_5m + usage.cache_write_1h;
  w.begin_object().member("inputTokens", input).member("outputTokens", usage.total_output());
  w.member("totalTokens", usage.total_input() + usage.total_output());
  w.member("cacheReadInputTokens", usage.cache_read).member("cacheWriteInputTokens", written);
  if (usage.cache_write_1h > 0) {
    w.key("cacheDetails").begin_array();
    w.begin_object().member("ttl", "1h").member("inputTokens", usage.cache_write_1h).end_object();
    w.begin_object().member("ttl", "5m").member("inputTokens", usage.cache_write_5m).end_object();
    w.end_array();
  }
  w.end_object();
}

Result<Reply> read_reply(json::Value root) {
  const json::Value message = root["output"]["message"];
  if (!message["content"].is_array()) {
    return fail(ErrorCode::protocol_error, "the provider's answer has no output.message.content");
  }
  Reply reply;
  Candidate& candidate = reply.candidates.emplace_back();
  for (const json::Value block : message["content"].elements()) {
    read_block(block, candidate.parts);
  }
  candidate.stop = stop_of_stop_reason(root["stopReason"].string_or(""));
  const json::Value additional = root["additionalModelResponseFields"];
  candidate.stop_sequence = additional["stop_sequence"].string_or("");
  if (candidate.stop == StopReason::tool_use && !has_call(candidate.parts)) {
    candidate.stop = StopReason::end_turn;  // the call was the answer itself
  }
  reply.usage = usage_of_converse_body(root);
  return reply;
}

std::string write_reply(const Reply& reply, const Context& /*context*/) {
  static const Candidate kNothing;
  const Candidate& candidate = reply.candidates.empty() ? kNothing : reply.candidates.front();
  std::string out;
  json::Writer w(out);
  w.begin_object().key("output").begin_object().key("message").begin_object();
  w.member("role", "assistant").key("content").begin_array();
  for (const Part& part : candidate.parts) write_block(w, part);
  w.end_array().end_object().end_object();
  w.member("stopReason", stop_reason_of_stop(candidate.stop, has_call(candidate.parts)));
  if (!candidate.stop_sequence.empty()) {
    w.key("additionalModelResponseFields").begin_object();
    w.member("stop_sequence", candidate.stop_sequence).end_object();
  }
  w.key("usage");
  write_usage(w, reply.usage);
  w.key("metrics").begin_object().member("latencyMs", 0).end_object();
  if (const std::string& tier = reply.usage.service_tier; !tier.empty()) {
    w.key("serviceTier").begin_object().member("type", tier).end_object();
  }
  w.end_object();
  return out;
}

}  // namespace weir::dialect::bedrock_converse

namespace weir::dialect {

const Codec& codec_bedrock_converse() {
  static constexpr Codec kCodec = {
      .read_request = bedrock_converse::read_request,
      .write_request = bedrock_converse::write_request,
      .read_reply = bedrock_converse::read_reply,
      .write_reply = bedrock_converse::write_reply,
      .make_stream_reader = bedrock_converse::make_stream_reader,
      .make_stream_writer = bedrock_converse::make_stream_writer,
  };
  return kCodec;
}

}  // namespace weir::dialect
