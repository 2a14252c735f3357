#include "dialect/openai_responses/openai_responses.h"
#include "dialect/usage_json.h"

namespace weir::dialect::openai_responses {

Result<Reply> read_reply(json::Value root) {
  const json::Value output = root["output"];
  if (!output.is_array()) {
    return fail(ErrorCode::protocol_error, "the provider's answer has no output");
  }
  const json::Value status = root["status"];
  if (status.equals("failed") || status.equals("cancelled") || status.equals("queued") ||
      status.equals("in_progress")) {
    std::string message = "the provider's answer is " + status.string_or("");
    const std::string why = root["error"]["message"].string_or("");
    if (!why.empty()) message += ": " + why;
    return fail(ErrorCode::protocol_error, std::move(message));
  }
  Reply reply;
  reply.id = root["id"].string_or("");
  reply.model = root["model"].string_or("");
  reply.created = root["created_at"].as_int64().value_or(0);
  Candidate& candidate = reply.candidates.emplace_back();
  candidate.stop = StopReason::end_turn;
  std::string logprobs;
  for (const json::Value item : output.elements()) {
    read_output_item(item, candidate.parts);
    if (is_client_call(item)) candidate.stop = StopReason::tool_use;
    if (!item["type"].equals("message")) continue;
    for (const json::Value part : item["content"].elements()) {
      const json::Value tokens = part["logprobs"];
      if (!tokens.is_array() || tokens.size() == 0) continue;
      if (!logprobs.empty()) logprobs.push_back(',');
      logprobs.append(tokens.raw(), 1, tokens.raw().size() - 2);
    }
  }
  if (!logprobs.empty()) {
    candidate.logprobs = R"({"content":[)" + logprobs + R"(],"refusal":null})";
  }
  if (status.equals("incomplete")) candidate.stop = stop_of_incomplete(root);
  reply.usage = usage_of_openai_response(root);
  return reply;
}

}  // namespace weir::dialect::openai_responses

namespace weir::dialect {

const Codec& codec_openai_responses() {
  static constexpr Codec kCodec = {
      .read_request = openai_responses::read_request,
      .write_request = openai_responses::write_request,
      .read_reply = openai_responses::read_reply,
      .write_reply = openai_responses::write_reply,
      .make_stream_reader = openai_responses::make_stream_reader,
      .make_stream_writer = openai_responses::make_stream_writer,
  };
  return kCodec;
}

}  // namespace weir::dialect
