#include <algorithm>

#include "dialect/openai_chat/openai_chat.h"
#include "dialect/wire.h"

namespace weir::dialect::openai_chat {
namespace {

// Mistral's content parts {"type":"thinking","thinking":[{"type":"text","text":...}]}.
std::string text_of_thinking_part(json::Value part) {
  const json::Value thinking = part["thinking"];
  if (thinking.is_string()) return thinking.string_or("");
  std::string text;
  for (const json::Value piece : thinking.elements()) text += piece["text"].string_or("");
  return text;
}

void read_details(json::Value details, std::vector<Part>& parts) {
  for (const json::Value detail : details.elements()) {
    const json::Value type = detail["type"];
    if (type.equals("reasoning.encrypted")) {
      parts.push_back({.kind = PartKind::redacted_thinking, .data = detail["data"].string_or("")});
    } else if (type.equals("reasoning.text") || type.equals("reasoning.summary")) {
      Part part{.kind = PartKind::thinking};
      part.text = detail[type.equals("reasoning.text") ? "text" : "summary"].string_or("");
      part.signature = detail["signature"].string_or("");
      parts.push_back(std::move(part));
    }
  }
}

// LiteLLM's name for Anthropic's blocks.
void read_blocks(json::Value blocks, std::vector<Part>& parts) {
  for (const json::Value block : blocks.elements()) {
    if (block["type"].equals("redacted_thinking")) {
      parts.push_back({.kind = PartKind::redacted_thinking, .data = block["data"].string_or("")});
    } else if (block["type"].equals("thinking")) {
      Part part{.kind = PartKind::thinking, .text = block["thinking"].string_or("")};
      part.signature = block["signature"].string_or("");
      parts.push_back(std::move(part));
    }
  }
}

}  // namespace

void read_thinking(json::Value message, std::vector<Part>& parts) {
  std::string text = message["reasoning_content"].string_or("");
  if (text.empty()) text = message["reasoning"].string_or("");

  const size_t before = parts.size();
  read_details(message["reasoning_details"], parts);
  if (parts.size() == before) read_blocks(message["thinking_blocks"], parts);
  if (parts.size() == before + 1 && parts.back().kind == PartKind::thinking &&
      parts.back().text.empty()) {
    parts.back().text = text;
  }
  if (parts.size() > before) return;
  if (!text.empty()) parts.push_back({.kind = PartKind::thinking, .text = text});
  for (const json::Value part : message["content"].elements()) {
    if (!part["type"].equals("thinking")) continue;
    parts.push_back({.kind = PartKind::thinking, .text = text_of_thinking_part(part)});
  }
}

void write_thinking_detail(json::Writer& w, const Part& part, size_t index) {
  w.begin_object();
  if (part.kind == PartKind::redacted_thinking) {
    w.member("type", "reasoning.encrypted").member("data", part.data);
  } else {
    w.member("type", "reasoning.text").member("text", part.text);
    if (!part.signature.empty()) w.member("signature", part.signature);
  }
  w.member("index", static_cast<int64_t>(index)).end_object();
}

void write_thinking(json::Writer& w, const std::vector<Part>& parts) {
  std::string text;
  size_t thoughts = 0;
  bool details = false;
  for (const Part& part : parts) {
    if (part.kind == PartKind::thinking) {
      text += part.text;
      ++thoughts;
      details = details || !part.signature.empty() || thoughts > 1;
    }
    details = details || part.kind == PartKind::redacted_thinking;
  }
  if (!text.empty()) w.member("reasoning_content", text);
  if (!details) return;
  w.key("reasoning_details").begin_array();
  size_t index = 0;
  for (const Part& part : parts) {
    if (part.kind != PartKind::thinking && part.kind != PartKind::redacted_thinking) continue;
    write_thinking_detail(w, part, index++);
  }
  w.end_array();
}

Part read_tool_call(json::Value call) {
  Part part{.kind = PartKind::tool_call};
  part.id = call["id"].string_or("");
  const json::Value function = call["function"];
  part.name = function["name"].string_or("");
  const json::Value arguments = function["arguments"];
  // A few servers send the object itself where a string is meant.
  part.json = arguments.is_object() ? std::string(arguments.raw()) : arguments.string_or("");
  part.signature = call["extra_content"]["google"]["thought_signature"].string_or("");
  return part;
}

void write_extra_content(json::Writer& w, std::string_view signature) {
  w.begin_object().key("google").begin_object();
  w.member("thought_signature", signature).end_object().end_object();
}

void write_tool_call(json::Writer& w, const Part& call) {
  w.begin_object().member("id", call.id).member("type", "function");
  w.key("function").begin_object().member("name", call.name);
  w.member("arguments", call.json.empty() ? std::string_view("{}") : std::string_view(call.json));
  w.end_object();
  if (!call.signature.empty()) {
    w.key("extra_content");
    write_extra_content(w, call.signature);
  }
  w.end_object();
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
