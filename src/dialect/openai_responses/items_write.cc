#include "dialect/openai_responses/items_write.h"

namespace weir::dialect::openai_responses {

void write_content(json::Writer& w, const Content& content) {
  if (content.kind == PartKind::refusal) {
    w.begin_object().member("type", "refusal").member("refusal", content.text).end_object();
    return;
  }
  w.begin_object().member("type", "output_text");
  w.key("annotations").raw("[" + content.annotations + "]");
  w.key("logprobs").raw("[" + content.logprobs + "]");
  w.member("text", content.text).end_object();
}

std::string message_item(std::string_view id, const std::deque<Content>& contents,
                         std::string_view status) {
  std::string item;
  json::Writer w(item);
  w.begin_object().member("id", id).member("type", "message").member("status", status);
  w.key("content").begin_array();
  for (const Content& content : contents) write_content(w, content);
  w.end_array().member("role", "assistant").end_object();
  return item;
}

void write_summary(json::Writer& w, std::string_view text) {
  w.begin_object().member("type", "summary_text").member("text", text).end_object();
}

std::string reasoning_item(std::string_view id, std::string_view summary, std::string_view field) {
  std::string item;
  json::Writer w(item);
  w.begin_object().member("id", id).member("type", "reasoning");
  w.key("summary").begin_array();
  if (!summary.empty()) write_summary(w, summary);
  w.end_array();
  if (!field.empty()) w.member("encrypted_content", field);
  w.end_object();
  return item;
}

std::string call_item(const Call& call, std::string_view status) {
  const CallForm& form = call.form;
  std::string item;
  json::Writer w(item);
  w.begin_object().member("id", call.id);
  if (form.kind == CallKind::custom) {
    w.member("type", "custom_tool_call").member("status", status);
    w.member("call_id", call.call_id).member("name", form.name).member("input", call.arguments);
  } else if (form.kind == CallKind::client) {
    w.member("type", form.client->call).member("status", status).member("call_id", call.call_id);
    w.key(form.client->arguments);
    write_client_arguments(w, *form.client, call.arguments);
  } else {
    w.member("type", "function_call").member("status", status);
    w.member("arguments", call.arguments).member("call_id", call.call_id);
    w.member("name", form.name);
    if (!form.name_space.empty()) w.member("namespace", form.name_space);
  }
  w.end_object();
  return item;
}

std::string image_item(std::string_view id, std::string_view media_type, std::string_view data) {
  std::string item;
  json::Writer w(item);
  w.begin_object().member("id", id).member("type", "image_generation_call");
  w.member("status", "completed");
  if (media_type.starts_with("image/")) w.member("output_format", media_type.substr(6));
  w.member("result", data).end_object();
  return item;
}

}  // namespace weir::dialect::openai_responses
