#include "dialect/errors.h"
#include "dialect/openai_responses/openai_responses.h"
#include "dialect/usage_write.h"

namespace weir::dialect::openai_responses {
namespace {

void text_or_null(json::Writer& w, std::string_view name, std::string_view text) {
  w.key(name);
  if (text.empty()) {
    w.null();
  } else {
    w.string(text);
  }
}

void raw_or(json::Writer& w, std::string_view name, std::string_view json,
            std::string_view absent) {
  w.key(name).raw(json.empty() ? absent : json);
}

void number_or_null(json::Writer& w, std::string_view name, std::optional<int64_t> number) {
  w.key(name);
  if (number) {
    w.number(*number);
  } else {
    w.null();
  }
}

std::string_view word_of(Status status) {
  switch (status) {
    case Status::in_progress:
      return "in_progress";
    case Status::completed:
      return "completed";
    case Status::incomplete:
      return "incomplete";
    case Status::failed:
      return "failed";
  }
  return "failed";
}

// The string that the client gave as `instructions`; messages of the system are input.
std::string instructions_of(const Conversation& asked) {
  std::string text;
  for (const Part& part : asked.system) {
    if (part.kind != PartKind::text || !part.name.empty()) continue;
    if (!text.empty()) text += "\n\n";
    text += part.text;
  }
  return text;
}

void write_echo(json::Writer& w, const Conversation& asked) {
  text_or_null(w, "instructions", instructions_of(asked));
  number_or_null(w, "max_output_tokens", asked.max_output_tokens);
  raw_or(w, "metadata", asked.metadata, "{}");
  w.member("parallel_tool_calls", asked.parallel_tool_calls.value_or(true));
  text_or_null(w, "previous_response_id", asked.previous_response_id);
  text_or_null(w, "prompt_cache_key", asked.prompt_cache_key);
  w.key("reasoning").begin_object();
  text_or_null(w, "effort", asked.reasoning ? asked.reasoning->effort : std::string());
  text_or_null(w, "summary", asked.reasoning ? asked.reasoning->summary : std::string());
  w.end_object();
  text_or_null(w, "safety_identifier", asked.user);
  w.member("store", asked.store.value_or(true));
  raw_or(w, "temperature", asked.temperature, "null");
  w.key("text");
  write_text_config(w, asked.format, asked.verbosity);
  w.key("tool_choice");
  write_tool_choice(w, asked);
  w.key("tools");
  write_tools(w, asked.tools);
  w.member("top_logprobs", asked.top_logprobs.value_or(0));
  raw_or(w, "top_p", asked.top_p, "null");
}

}  // namespace

ResponseWriter::ResponseWriter(const Context& context)
    : id(context.request_id.empty() ? "" : "resp_" + context.request_id),
      model(context.model),
      created(context.now_s),
      asked_(context.asked),
      now_s_(context.now_s) {}

void ResponseWriter::write(json::Writer& w, Status status, std::string_view output, StopReason stop,
                           const ApiError* error) const {
  static const Conversation kNothingKnown;
  w.begin_object().member("id", id).member("object", "response").member("created_at", created);
  w.member("status", word_of(status)).member("background", false);
  w.key("completed_at");
  if (status == Status::completed) {
    w.number(now_s_ > created ? now_s_ : created);
  } else {
    w.null();
  }
  w.key("error");
  if (error != nullptr) {
    const std::string_view code = openai_error_code(*error);
    w.begin_object().member("code", code.empty() ? "server_error" : code);
    w.member("message", error->message).end_object();
  } else {
    w.null();
  }
  w.key("incomplete_details");
  if (status == Status::incomplete) {
    const bool filter = stop == StopReason::content_filter || stop == StopReason::refusal;
    w.begin_object().member("reason", filter ? "content_filter" : "max_output_tokens").end_object();
  } else {
    w.null();
  }
  w.member("model", model);
  w.key("output").begin_array();
  if (!output.empty()) w.raw(output);
  w.end_array();
  write_echo(w, asked_ == nullptr ? kNothingKnown : *asked_);
  w.member("service_tier", usage.service_tier.empty() ? "default" : usage.service_tier);
  w.member("truncation", "disabled");
  w.key("usage");
  if (status == Status::in_progress || (status == Status::failed && !usage.reported)) {
    w.null();
  } else {
    write_usage_openai_responses(w, usage);
  }
  w.key("user").null().end_object();
}

}  // namespace weir::dialect::openai_responses
