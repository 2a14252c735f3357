#include "sim/completions.h"

#include "base/json/writer.h"
#include "dialect/errors.h"
#include "dialect/sse.h"
#include "dialect/usage_write.h"
#include "dialect/wire.h"

namespace weir::sim {
namespace {

using dialect::EventKind;
using dialect::PartKind;
using dialect::Reply;
using dialect::StopReason;
using dialect::StreamEvent;

// What the API writes where the request does not say.
constexpr int64_t kMaxTokens = 16;

std::string_view finish_reason(StopReason stop) {
  if (stop == StopReason::max_tokens) return "length";
  return stop == StopReason::content_filter ? "content_filter" : "stop";
}

void begin(json::Writer& w, const Reply& reply) {
  w.begin_object().member("id", reply.id).member("object", "text_completion");
  w.member("created", reply.created).member("model", reply.model).key("choices").begin_array();
}

void write_choice(json::Writer& w, std::string_view text, uint32_t index, std::string_view finish) {
  w.begin_object().member("text", text).member("index", index).key("logprobs").null();
  w.key("finish_reason");
  if (finish.empty()) {
    w.null();
  } else {
    w.string(finish);
  }
  w.end_object();
}

class Writer final : public dialect::StreamWriter {
 public:
  explicit Writer(bool include_usage) : include_usage_(include_usage) {}

  void write(const StreamEvent& event, std::string& out) override {
    if (over_) return;
    switch (event.kind) {
      case EventKind::start:
        head_.id = event.id;
        head_.model = event.name;
        head_.created = event.created;
        return;
      case EventKind::part_start:
        text_ = event.part_kind == PartKind::text;
        return;
      case EventKind::text_delta:
        if (text_) chunk(event.text, event.candidate, {}, out);
        return;
      case EventKind::finish:
        chunk({}, event.candidate, finish_reason(event.stop), out);
        return;
      case EventKind::usage:
        head_.usage.merge(event.usage);
        return;
      case EventKind::error:
        out.append(dialect::write_stream_error(dialect::Dialect::openai_completions, event.error,
                                               head_.id));
        over_ = true;
        return;
      case EventKind::end:
        end(out);
        return;
      default:
        return;
    }
  }

 private:
  void chunk(std::string_view text, uint32_t index, std::string_view finish, std::string& out) {
    std::string json;
    json::Writer w(json);
    begin(w, head_);
    write_choice(w, text, index, finish);
    w.end_array();
    if (include_usage_) w.key("usage").null();
    w.end_object();
    dialect::append_sse(out, {}, json);
  }

  void end(std::string& out) {
    over_ = true;
    if (include_usage_) {
      std::string json;
      json::Writer w(json);
      begin(w, head_);
      w.end_array().key("usage");
      dialect::write_usage_openai(w, head_.usage);
      w.end_object();
      dialect::append_sse(out, {}, json);
    }
    dialect::append_sse(out, {}, "[DONE]");
  }

  bool include_usage_;
  Reply head_;
  bool text_ = false;
  bool over_ = false;
};

}  // namespace

Result<dialect::Conversation> read_completions_request(json::Value root) {
  dialect::FieldReader fields;
  dialect::Conversation conversation;
  conversation.model = fields.string(root, "model");
  conversation.stream = fields.boolean(root, "stream").value_or(false);
  conversation.max_output_tokens = fields.integer(root, "max_tokens").value_or(kMaxTokens);
  conversation.candidates = fields.integer(root, "n");
  const json::Value options = fields.object(root, "stream_options");
  conversation.stream_usage = fields.boolean(options, "include_usage").value_or(false);
  const json::Value stop = root["stop"];
  if (stop.is_string()) conversation.stop.push_back(stop.string_or(""));
  for (const json::Value one : stop.elements()) conversation.stop.push_back(one.string_or(""));

  const json::Value prompt = root["prompt"];
  dialect::Message message;
  if (prompt.is_string()) {
    message.parts.emplace_back().text = prompt.string_or("");
  } else if (prompt.is_array()) {
    for (const json::Value one : prompt.elements()) {
      message.parts.emplace_back().text =
          one.is_string() ? one.string_or("") : std::string(one.raw());
    }
  } else {
    fields.wrong("prompt", "a string or an array", prompt);
  }
  conversation.messages.push_back(std::move(message));
  if (!fields.ok()) return fail(fields.error());
  return conversation;
}

std::string write_completions_reply(const Reply& reply) {
  std::string out;
  json::Writer w(out);
  begin(w, reply);
  uint32_t index = 0;
  for (const dialect::Candidate& candidate : reply.candidates) {
    write_choice(w, dialect::joined_text(candidate.parts, ""), index++,
                 finish_reason(candidate.stop));
  }
  w.end_array().key("usage");
  dialect::write_usage_openai(w, reply.usage);
  w.end_object();
  return out;
}

std::unique_ptr<dialect::StreamWriter> make_completions_stream_writer(bool include_usage) {
  return std::make_unique<Writer>(include_usage);
}

}  // namespace weir::sim
