#include "dialect/errors.h"
#include "dialect/gemini/chunks.h"
#include "dialect/gemini/gemini.h"

namespace weir::dialect::gemini {
namespace {

const Codec kCodec = {
    .read_request = read_request,
    .write_request = write_request,
    .read_reply = read_reply,
    .write_reply = write_reply,
    .make_stream_reader = make_stream_reader,
    .make_stream_writer = make_stream_writer,
};

void write_candidate(json::Writer& w, const Candidate& candidate, size_t index) {
  w.begin_object();
  if (!candidate.parts.empty()) {
    w.key("content").begin_object().key("parts").begin_array();
    for (const Part& part : candidate.parts) write_reply_part(w, part);
    w.end_array().member("role", "model").end_object();
  }
  w.member("finishReason",
           gemini_finish_reason(candidate.stop == StopReason::unset ? StopReason::end_turn
                                                                    : candidate.stop));
  w.member("index", static_cast<int64_t>(index));
  if (const std::string logprobs = gemini_logprobs_of(candidate.logprobs); !logprobs.empty()) {
    w.member_raw("logprobsResult", logprobs);
  }
  std::string text;
  std::vector<Grounded> grounded;
  for (const Part& part : candidate.parts) {
    if (part.kind != PartKind::text) continue;
    const size_t begin = text.size();
    text.append(part.text);
    for (const Citation& citation : part.citations) {
      grounded.push_back({&citation, begin, text.size()});
    }
  }
  write_grounding(w, grounded, text);
  w.end_object();
}

}  // namespace

Result<Reply> read_reply(json::Value root) {
  if (!root.is_object() && !root.is_array()) {
    return fail(ErrorCode::protocol_error, "the answer: expected a JSON object");
  }
  ChunkReader chunks;
  StreamEvents events;
  if (root.is_object()) chunks.read(root, events);
  for (const json::Value element : root.elements()) chunks.read(element, events);
  // A model that says nothing leaves the candidates out; without any sign of an answer it is none.
  const json::Value sign = root.is_object() ? root : json::Value();
  if (!chunks.has_candidates() &&
      !gemini_field(sign, "usageMetadata", "usage_metadata").is_object()) {
    return fail(ErrorCode::protocol_error, "candidates: expected an array, got nothing");
  }
  chunks.finish(events);
  ReplyBuilder builder;
  for (const StreamEvent& event : events) builder.add(event);
  Reply reply = builder.take();
  if (reply.candidates.empty()) reply.candidates.emplace_back().stop = StopReason::end_turn;
  return reply;
}

std::string write_reply(const Reply& reply, const Context& context) {
  std::string out;
  json::Writer w(out);
  w.begin_object().key("candidates").begin_array();
  for (size_t i = 0; i < reply.candidates.size(); ++i) write_candidate(w, reply.candidates[i], i);
  w.end_array().key("usageMetadata");
  write_usage(w, reply.usage);
  w.member("modelVersion", context.model.empty() ? reply.model : context.model);
  w.member("responseId", reply.id.empty() ? context.request_id : reply.id);
  w.end_object();
  return out;
}

}  // namespace weir::dialect::gemini

namespace weir::dialect {

const Codec& codec_gemini() {
  return gemini::kCodec;
}

}  // namespace weir::dialect
