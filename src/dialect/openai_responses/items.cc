#include "dialect/openai_responses/openai_responses.h"
#include "dialect/signature.h"
#include "dialect/wire.h"

namespace weir::dialect::openai_responses {
namespace {

constexpr std::string_view kUnsigned = "-";

std::string joined(json::Value list) {
  std::string text;
  for (const json::Value piece : list.elements()) {
    const std::string words = piece["text"].string_or("");
    if (!text.empty() && !words.empty()) text += "\n\n";
    text += words;
  }
  return text;
}

void read_message(json::Value item, std::vector<Part>& parts) {
  const std::string id = item["id"].string_or("");
  const json::Value content = item["content"];
  if (content.is_string()) {
    parts.push_back({.kind = PartKind::text, .text = content.string_or(""), .id = id});
    return;
  }
  for (const json::Value piece : content.elements()) {
    Part part{.kind = PartKind::text, .id = id};
    if (piece["type"].equals("refusal")) {
      part.kind = PartKind::refusal;
      part.text = piece["refusal"].string_or("");
    } else {
      part.text = piece["text"].string_or("");
      for (const json::Value annotation : piece["annotations"].elements()) {
        part.citations.push_back(read_annotation(annotation));
      }
    }
    parts.push_back(std::move(part));
  }
}

void read_reasoning(json::Value item, std::vector<Part>& parts) {
  Part part{.kind = PartKind::thinking, .text = text_of_reasoning(item)};
  part.id = item["id"].string_or("");
  part.origin = Dialect::openai_responses;
  read_reasoning_field(part, item["encrypted_content"].string_or(""));
  if (part.kind == PartKind::text) {
    // The signature of a text in front, made by another dialect (Gemini).
    for (size_t i = parts.size(); i > 0; --i) {
      if (parts[i - 1].kind != PartKind::text) continue;
      parts[i - 1].signature = part.signature;
      parts[i - 1].origin = part.origin;
      break;
    }
    return;
  }
  parts.push_back(std::move(part));
}

Part call_part(json::Value item) {
  Part part{.kind = PartKind::tool_call};
  CallId id = read_call_id(item["call_id"].string_or(item["id"].string_or("")));
  part.id = std::move(id.id);
  part.signature = std::move(id.signature);
  part.origin = id.origin;
  return part;
}

void read_image(json::Value item, std::vector<Part>& parts) {
  Part part{.kind = PartKind::image};
  part.id = item["id"].string_or("");
  part.media_type = "image/" + item["output_format"].string_or("png");
  const std::string result = item["result"].string_or("");
  // xAI gives an address, others the bytes.
  if (const auto data = parse_data_url(result)) {
    part.media_type = data->media_type;
    part.data = data->data;
  } else if (result.starts_with("https://") || result.starts_with("http://")) {
    part.url = result;
  } else {
    part.data = result;
  }
  parts.push_back(std::move(part));
}

}  // namespace

std::string reasoning_field_of(const Part& part) {
  std::string field = signature_field(part, Dialect::openai_responses);
  if (!field.empty() || part.origin == Dialect::openai_responses) return field;
  return marked({.origin = Dialect::openai_chat, .value = std::string(kUnsigned)});
}

void read_reasoning_field(Part& part, std::string_view field) {
  read_signature_field(part, field, Dialect::openai_responses);
  if (part.signature != kUnsigned) return;
  part.signature.clear();
  part.origin = Dialect::passthrough;
}

std::string text_of_reasoning(json::Value item) {
  std::string text = joined(item["content"]);
  return text.empty() ? joined(item["summary"]) : text;
}

std::string full_name(std::string_view space, std::string_view name) {
  std::string full(space);
  if (!full.empty() && !full.ends_with("__")) full += "__";
  return full.append(name);
}

std::string full_name(json::Value call) {
  return full_name(call["namespace"].string_or(""), call["name"].string_or(""));
}

bool is_client_call(json::Value item) {
  const std::string type = item["type"].string_or("");
  if (type == "function_call" || type == "computer_call" || type == "mcp_approval_request") {
    return true;
  }
  // xAI tells the searches in X that it runs itself as calls of custom tools.
  if (type == "custom_tool_call") return !item["call_id"].string_or("").starts_with("xs_call_");
  // A shell in the provider's container is no business of the client's.
  return client_tool_of_call(type) != nullptr &&
         !item["environment"]["type"].string_or("").starts_with("container");
}

void read_output_item(json::Value item, std::vector<Part>& parts) {
  const std::string type = item["type"].string_or("");
  if (type == "message" || (type.empty() && item["role"].exists())) {
    read_message(item, parts);
  } else if (type == "reasoning") {
    read_reasoning(item, parts);
  } else if (type == "function_call") {
    Part part = call_part(item);
    part.name = full_name(item);
    part.json = item["arguments"].string_or("");
    if (part.json.empty()) part.json = "{}";
    parts.push_back(std::move(part));
  } else if (type == "custom_tool_call" && is_client_call(item)) {
    Part part = call_part(item);
    part.name = full_name(item);
    part.text = item["input"].string_or("");
    part.freeform = true;
    parts.push_back(std::move(part));
  } else if (const ClientTool* tool = client_tool_of_call(type);
             tool != nullptr && is_client_call(item)) {
    Part part = call_part(item);
    part.name = tool->type;
    part.json = object_text(item[tool->arguments].raw());
    parts.push_back(std::move(part));
  } else if (type == "image_generation_call" && item["result"].is_string()) {
    read_image(item, parts);
  } else if (!type.empty()) {
    Part part{.kind = PartKind::native, .id = item["id"].string_or(""), .name = type};
    part.json = compact_json(item.raw());
    part.origin = Dialect::openai_responses;
    parts.push_back(std::move(part));
  }
}

Citation read_annotation(json::Value annotation) {
  Citation citation;
  const std::string type = annotation["type"].string_or("");
  if (type == "url_citation") {
    citation.url = annotation["url"].string_or("");
    citation.title = annotation["title"].string_or("");
  } else {
    citation.kind = Citation::Kind::file;
    citation.file_id = annotation["file_id"].string_or("");
    citation.title = annotation["filename"].string_or("");
  }
  citation.text_start = annotation["start_index"].as_int64().value_or(-1);
  citation.text_end = annotation["end_index"].as_int64().value_or(-1);
  citation.native = compact_json(annotation.raw());
  return citation;
}

void write_annotation(json::Writer& w, const Citation& citation, int64_t text_length) {
  json::Document document;
  if (!citation.native.empty() && document.parse(citation.native)) {
    const std::string type = document.root()["type"].string_or("");
    const bool own = type == "file_citation" || type == "container_file_citation" ||
                     type == "file_path" ||
                     (type == "url_citation" && document.root()["url"].is_string());
    if (own) {
      w.raw(citation.native);
      return;
    }
  }
  w.begin_object();
  if (citation.url.empty()) {
    w.member("type", "file_citation").member("file_id", citation.file_id);
    w.member("filename", citation.title);
    w.member("index", citation.text_end < 0 ? text_length : citation.text_end);
  } else {
    w.member("type", "url_citation").member("url", citation.url).member("title", citation.title);
    w.member("start_index", citation.text_start < 0 ? 0 : citation.text_start);
    w.member("end_index", citation.text_end < 0 ? text_length : citation.text_end);
  }
  w.end_object();
}

int64_t code_points(std::string_view text) {
  int64_t count = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) ++count;
  }
  return count;
}

}  // namespace weir::dialect::openai_responses
