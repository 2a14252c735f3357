#include <algorithm>

#include "dialect/losses.h"
#include "dialect/openai_chat/openai_chat.h"
#include "dialect/signature.h"
#include "dialect/tools.h"
#include "dialect/wire.h"

namespace weir::dialect::openai_chat {
namespace {

constexpr size_t kUserMax = 64;  // OpenAI's own limit
constexpr Dialect kOwn = Dialect::openai_chat;

// Mistral's content parts {"type":"thinking","thinking":[{"type":"text","text":...}]}.
std::string text_of_thinking_part(json::Value part) {
  const json::Value thinking = part["thinking"];
  if (thinking.is_string()) return thinking.string_or("");
  std::string text;
  for (const json::Value piece : thinking.elements()) text += piece["text"].string_or("");
  return text;
}

// OpenRouter's names of makers.
Dialect maker_of_format(json::Value format) {
  const std::string name = format.string_or("");
  if (name.starts_with("anthropic-")) return Dialect::anthropic_messages;
  if (name.starts_with("google-")) return Dialect::gemini;
  if (name.starts_with("openai-responses-")) return Dialect::openai_responses;
  return kOwn;
}

void read_details(json::Value details, std::vector<Part>& parts,
                  std::optional<Part>& text_signature) {
  for (const json::Value detail : details.elements()) {
    const json::Value type = detail["type"];
    Part part;
    if (type.equals("reasoning.encrypted")) {
      part.kind = PartKind::redacted_thinking;
      read_detail_field(part, detail, "data");
    } else if (type.equals("reasoning.text") || type.equals("reasoning.summary")) {
      part.kind = PartKind::thinking;
      part.text = detail[type.equals("reasoning.text") ? "text" : "summary"].string_or("");
      read_detail_field(part, detail, "signature");
    } else {
      continue;
    }
    if (part.kind == PartKind::text) {
      text_signature = std::move(part);
    } else {
      parts.push_back(std::move(part));
    }
  }
}

// LiteLLM's name for Anthropic's blocks.
void read_blocks(json::Value blocks, std::vector<Part>& parts) {
  for (const json::Value block : blocks.elements()) {
    if (block["type"].equals("redacted_thinking")) {
      Part part{.kind = PartKind::redacted_thinking};
      read_signature_field(part, block["data"].string_or(""), Dialect::anthropic_messages);
      parts.push_back(std::move(part));
    } else if (block["type"].equals("thinking")) {
      Part part{.kind = PartKind::thinking, .text = block["thinking"].string_or("")};
      read_signature_field(part, block["signature"].string_or(""), Dialect::anthropic_messages);
      parts.push_back(std::move(part));
    }
  }
}

}  // namespace

void read_detail_field(Part& part, json::Value detail, std::string_view field) {
  read_signature_field(part, detail[field].string_or(""), maker_of_format(detail["format"]));
}

void sign_text(std::vector<Part>& parts, std::optional<Part> signature) {
  if (!signature) return;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (part->kind != PartKind::text) continue;
    part->signature = std::move(signature->signature);
    part->origin = signature->origin;
    return;
  }
}

std::optional<Part> read_thinking(json::Value message, std::vector<Part>& parts) {
  std::string text = message["reasoning_content"].string_or("");
  if (text.empty()) text = message["reasoning"].string_or("");

  const size_t before = parts.size();
  std::optional<Part> text_signature;
  read_details(message["reasoning_details"], parts, text_signature);
  if (parts.size() == before) read_blocks(message["thinking_blocks"], parts);
  if (parts.size() == before + 1 && parts.back().kind == PartKind::thinking &&
      parts.back().text.empty()) {
    parts.back().text = text;
  }
  if (parts.size() > before) return text_signature;
  if (!text.empty()) parts.push_back({.kind = PartKind::thinking, .text = text});
  for (const json::Value part : message["content"].elements()) {
    if (!part["type"].equals("thinking")) continue;
    parts.push_back({.kind = PartKind::thinking, .text = text_of_thinking_part(part)});
  }
  return text_signature;
}

void write_thinking_detail(json::Writer& w, const Part& part, size_t index) {
  w.begin_object();
  const std::string field = signature_field(part, kOwn);
  if (part.kind == PartKind::thinking) {
    w.member("type", "reasoning.text").member("text", part.text);
    if (!field.empty()) w.member("signature", field);
  } else {
    w.member("type", "reasoning.encrypted").member("data", field);
  }
  w.member("index", static_cast<int64_t>(index)).end_object();
}

void write_thinking(json::Writer& w, const std::vector<Part>& parts) {
  std::string text;
  size_t thoughts = 0;
  std::vector<const Part*> details;
  bool needed = false;
  for (const Part& part : parts) {
    if (part.kind == PartKind::thinking) {
      text += part.text;
      details.push_back(&part);
      needed = needed || !signature_field(part, kOwn).empty() || ++thoughts > 1;
    } else if ((part.kind == PartKind::redacted_thinking || part.kind == PartKind::text) &&
               !signature_field(part, kOwn).empty()) {
      details.push_back(&part);
      needed = true;
    }
  }
  if (!text.empty()) w.member("reasoning_content", text);
  if (!needed) return;
  w.key("reasoning_details").begin_array();
  size_t index = 0;
  for (const Part* part : details) write_thinking_detail(w, *part, index++);
  w.end_array();
}

Part read_tool_call(json::Value call) {
  Part part{.kind = PartKind::tool_call};
  part.id = call["id"].string_or("");
  if (const json::Value custom = call["custom"]; custom.is_object()) {
    part.freeform = true;
    part.name = custom["name"].string_or("");
    part.text = custom["input"].string_or("");
    return part;
  }
  const json::Value function = call["function"];
  part.name = function["name"].string_or("");
  const json::Value arguments = function["arguments"];
  // A few servers send the object itself where a string is meant.
  part.json = arguments.is_object() ? std::string(arguments.raw()) : arguments.string_or("");
  part.signature = call["extra_content"]["google"]["thought_signature"].string_or("");
  if (!part.signature.empty()) part.origin = Dialect::gemini;
  return part;
}

void write_extra_content(json::Writer& w, std::string_view signature) {
  w.begin_object().key("google").begin_object();
  w.member("thought_signature", signature).end_object().end_object();
}

void write_tool_call(json::Writer& w, const Part& call, bool custom) {
  w.begin_object().member("id", call.id).member("type", custom ? "custom" : "function");
  if (custom) {
    w.key("custom").begin_object().member("name", call.name);
    w.member("input", call.freeform ? call.text : input_of_arguments(call.json)).end_object();
  } else {
    w.key("function").begin_object().member("name", call.name);
    w.member("arguments", call.freeform       ? arguments_of_input(call.text)
                          : call.json.empty() ? std::string("{}")
                                              : call.json);
    w.end_object();
  }
  if (!call.signature.empty() && call.origin == Dialect::gemini) {
    w.key("extra_content");
    write_extra_content(w, call.signature);
  }
  w.end_object();
}

Citation read_annotation(json::Value annotation, int64_t before) {
  const json::Value nested = annotation["url_citation"];
  const json::Value value = nested.is_object() ? nested : annotation;
  Citation out;
  out.url = value["url"].string_or("");
  out.title = value["title"].string_or("");
  out.cited_text = value["content"].string_or("");  // OpenRouter
  out.text_start = value["start_index"].as_int64().value_or(-1);
  out.text_end = value["end_index"].as_int64().value_or(-1);
  if (out.text_start < before || out.text_end < out.text_start) {
    out.text_start = out.text_end = -1;
  } else {
    out.text_start -= before;
    out.text_end -= before;
  }
  return out;
}

bool write_annotation(json::Writer& w, const Citation& citation, int64_t before, int64_t length) {
  if (citation.url.empty()) return false;
  const bool known = citation.text_start >= 0 && citation.text_end >= citation.text_start;
  w.begin_object().member("type", "url_citation").key("url_citation").begin_object();
  w.member("start_index", before + (known ? citation.text_start : 0));
  w.member("end_index", before + (known ? citation.text_end : length));
  w.member("url", citation.url).member("title", citation.title);
  w.end_object().end_object();
  return true;
}

void read_images(json::Value message, std::vector<Part>& parts) {
  for (const json::Value image : message["images"].elements()) {
    const std::string url = image["image_url"]["url"].string_or("");
    Part part{.kind = PartKind::image};
    if (const auto data = parse_data_url(url)) {
      part.media_type = data->media_type;
      part.data = data->data;
    } else {
      part.url = url;
    }
    if (!url.empty()) parts.push_back(std::move(part));
  }
}

void write_image_part(json::Writer& w, const Part& image) {
  w.begin_object().member("type", "image_url").key("image_url").begin_object();
  w.member("url", image.data.empty() ? image.url : data_url(image.media_type, image.data));
  if (!image.detail.empty()) w.member("detail", image.detail);
  w.end_object().end_object();
}

StopReason stop_of_finish_reason(std::string_view reason) {
  if (reason.empty()) return StopReason::unset;
  if (reason == "stop" || reason == "eos") return StopReason::end_turn;
  if (reason == "length" || reason == "max_tokens" || reason == "model_length") {
    return StopReason::max_tokens;
  }
  if (reason == "tool_calls" || reason == "function_call") return StopReason::tool_use;
  if (reason == "content_filter") return StopReason::content_filter;
  return StopReason::other;
}

std::string_view finish_reason_of_stop(StopReason stop) {
  switch (stop) {
    case StopReason::max_tokens:
    case StopReason::context_window:
      return "length";
    case StopReason::tool_use:
      return "tool_calls";
    case StopReason::content_filter:
    case StopReason::refusal:
      return "content_filter";
    case StopReason::unset:
    case StopReason::end_turn:
    case StopReason::stop_sequence:
    case StopReason::pause_turn:
    case StopReason::malformed_tool_call:
    case StopReason::other:
      return "stop";
  }
  return "stop";
}

std::string matched_stop_of(json::Value choice) {
  const std::string matched = choice["stop_reason"].string_or("");
  return matched.empty() ? choice["matched_stop"].string_or("") : matched;
}

void write_user_and_tier(json::Writer& writer, const Conversation& conversation, Dropped& dropped) {
  if (conversation.user.size() > kUserMax) {
    lose(dropped, Feature::user);
  } else if (!conversation.user.empty()) {
    writer.member("user", conversation.user);
  }
  const std::string_view tier = conversation.service_tier;
  if (tier == "standard_only" || tier == "standard") {
    writer.member("service_tier", "default");
  } else if (tier == "auto" || tier == "default" || tier == "flex" || tier == "priority" ||
             tier == "scale") {
    writer.member("service_tier", tier);
  } else if (!tier.empty()) {
    lose(dropped, Feature::service_tier);
  }
}

ModelTraits traits_of(std::string_view model) {
  if (const size_t slash = model.rfind('/'); slash != std::string_view::npos) {
    model.remove_prefix(slash + 1);
  }
  if (model.starts_with("ft:")) model.remove_prefix(3);
  const auto is = [&](std::string_view family) {
    if (!model.starts_with(family)) return false;
    const std::string_view rest = model.substr(family.size());
    return rest.empty() || rest[0] == '-' || rest[0] == '.' || rest[0] == '@' || rest[0] == ':';
  };
  ModelTraits traits;
  for (const std::string_view old : {"gpt-3.5-turbo", "gpt-4", "gpt-4o", "chatgpt-4o-latest"}) {
    traits.no_reasoning = traits.no_reasoning || is(old);
  }
  if (is("gpt-5-chat") || is("gpt-5-chat-latest")) {
    traits.no_reasoning = true;
  } else {
    for (const std::string_view family : {"o1", "o3", "o4", "gpt-5", "codex-mini"}) {
      traits.reasoning = traits.reasoning || is(family);
    }
  }
  return traits;
}

}  // namespace weir::dialect::openai_chat
