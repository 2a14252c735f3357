#include "dialect/wire.h"
#include "sim/responses.h"

namespace weir::sim {
namespace {

using dialect::Conversation;
using dialect::FieldReader;
using dialect::Message;
using dialect::Part;
using dialect::PartKind;
using dialect::Role;

void read_content(FieldReader& fields, json::Value content, std::string_view path,
                  std::vector<Part>& parts) {
  if (content.is_string()) {
    parts.emplace_back().text = content.string_or("");
    return;
  }
  if (!content.is_array()) {
    fields.wrong(path, "a string or an array of parts", content);
    return;
  }
  for (const json::Value item : content.elements()) {
    const std::string type = item["type"].string_or("");
    Part part;
    if (type == "input_text" || type == "output_text" || type == "text") {
      part.text = item["text"].string_or("");
    } else if (type == "refusal") {
      part.kind = PartKind::refusal;
      part.text = item["refusal"].string_or("");
    } else if (type == "input_image") {
      part.kind = PartKind::image;
      part.url = item["image_url"].string_or("");
    } else if (type == "input_file") {
      part.kind = PartKind::document;
      part.id = item["file_id"].string_or("");
    } else {
      fields.fail(path, "unknown type of content '" + type + "'");
    }
    parts.push_back(std::move(part));
  }
}

// Calls made together, and their results, are items of their own here and one turn elsewhere.
void add(Conversation& conversation, Role role, Part part) {
  auto& messages = conversation.messages;
  const bool joins = !messages.empty() && messages.back().role == role &&
                     !messages.back().parts.empty() &&
                     messages.back().parts.back().kind == part.kind;
  if (!joins) messages.push_back({.role = role, .parts = {}});
  messages.back().parts.push_back(std::move(part));
}

void read_item(FieldReader& fields, json::Value item, const std::string& path,
               Conversation& conversation) {
  const std::string type = item["type"].string_or("message");
  if (type == "message") {
    const std::string role = item["role"].string_or("");
    if (role == "system" || role == "developer") {
      read_content(fields, item["content"], dialect::at_member(path, "content"),
                   conversation.system);
      return;
    }
    if (role != "user" && role != "assistant") {
      fields.fail(dialect::at_member(path, "role"),
                  "expected user, assistant, system or developer");
    }
    Message message;
    message.role = role == "assistant" ? Role::assistant : Role::user;
    read_content(fields, item["content"], dialect::at_member(path, "content"), message.parts);
    conversation.messages.push_back(std::move(message));
    return;
  }
  Part part;
  part.id = item["call_id"].string_or("");
  if (type == "function_call" || type == "custom_tool_call") {
    part.kind = PartKind::tool_call;
    part.name = item["name"].string_or("");
    part.freeform = type == "custom_tool_call";
    if (part.freeform) {
      part.text = item["input"].string_or("");
    } else {
      part.json = item["arguments"].string_or("{}");
    }
    add(conversation, Role::assistant, std::move(part));
  } else if (type == "function_call_output" || type == "custom_tool_call_output") {
    part.kind = PartKind::tool_result;
    read_content(fields, item["output"], dialect::at_member(path, "output"), part.children);
    add(conversation, Role::user, std::move(part));
  }
  // Other items (reasoning, hosted tools' calls) come back from earlier answers: nothing to do.
}

void read_tools(FieldReader& fields, json::Value root, Conversation& conversation) {
  for (const json::Value tool : fields.array(root, "tools").elements()) {
    const bool custom = tool["type"].equals("custom");
    if (!custom && !tool["type"].equals("function")) continue;
    dialect::Tool& out = conversation.tools.emplace_back();
    out.freeform = custom;
    out.name = tool["name"].string_or("");
    out.description = tool["description"].string_or("");
    if (tool["parameters"].is_object()) out.schema = std::string(tool["parameters"].raw());
  }
  const json::Value choice = root["tool_choice"];
  if (choice.is_object()) {
    conversation.tool_choice = {dialect::ToolChoiceKind::named, choice["name"].string_or("")};
  } else if (choice.equals("required")) {
    conversation.tool_choice.kind = dialect::ToolChoiceKind::required;
  } else if (choice.equals("none")) {
    conversation.tool_choice.kind = dialect::ToolChoiceKind::none;
  }
}

void read_format(json::Value format, dialect::ResponseFormat& out) {
  if (format["type"].equals("json_object")) out.kind = dialect::FormatKind::json_object;
  if (!format["type"].equals("json_schema")) return;
  out.kind = dialect::FormatKind::json_schema;
  out.name = format["name"].string_or("");
  out.schema = std::string(format["schema"].raw());
}

}  // namespace

Result<Conversation> read_responses_request(json::Value root) {
  FieldReader fields;
  Conversation conversation;
  conversation.model = fields.string(root, "model");
  conversation.stream = fields.boolean(root, "stream").value_or(false);
  conversation.max_output_tokens = fields.integer(root, "max_output_tokens");
  conversation.parallel_tool_calls = fields.boolean(root, "parallel_tool_calls");
  if (const std::string text = fields.string(root, "instructions"); !text.empty()) {
    conversation.system.emplace_back().text = text;
  }
  const json::Value input = root["input"];
  if (input.is_array()) {
    size_t index = 0;
    for (const json::Value item : input.elements()) {
      read_item(fields, item, dialect::at_index("input", index++), conversation);
    }
  } else {
    Message message;
    read_content(fields, input, "input", message.parts);
    conversation.messages.push_back(std::move(message));
  }
  read_tools(fields, root, conversation);
  read_format(root["text"]["format"], conversation.format);
  if (const json::Value reasoning = fields.object(root, "reasoning"); reasoning.exists()) {
    conversation.reasoning.emplace().effort = reasoning["effort"].string_or("");
  }
  if (!fields.ok()) return fail(fields.error());
  return conversation;
}

}  // namespace weir::sim
