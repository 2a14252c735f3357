#include <algorithm>
#include <iterator>
#include <map>
#include <optional>

#include "dialect/anthropic_messages/anthropic_messages.h"
#include "dialect/signature.h"
#include "dialect/wire.h"

namespace weir::dialect::anthropic_messages {
namespace {

std::optional<CacheControl> read_cache(json::Value object) {
  const json::Value cache = object["cache_control"];
  if (!cache.is_object()) return std::nullopt;
  return CacheControl{cache["ttl"].string_or("5m")};
}

constexpr Dialect kOwn = Dialect::anthropic_messages;

class RequestReader {
 public:
  RequestReader(json::Value root, const Context& context) : root_(root), context_(context) {}

  Result<Conversation> read() {
    if (!root_.is_object()) {
      return fail(ErrorCode::invalid_argument, "the body: expected a JSON object");
    }
    out_.model = fields_.string(root_, "model");
    if (out_.model.empty()) out_.model = context_.model;
    read_system(root_["system"], "system");
    read_messages();
    read_tools();
    read_tool_choice();
    read_thinking();
    read_format();
    read_rest();
    note_unknown();
    if (!fields_.ok()) return fail(fields_.error());
    return std::move(out_);
  }

 private:
  void drop(std::string_view path) { note(out_.dropped, path); }

  // A string or a list of text blocks.
  void read_system(json::Value system, const std::string& path) {
    if (!system.exists() || system.is_null()) return;
    if (system.is_string()) {
      add_instruction({.kind = PartKind::text, .text = system.string_or("")}, path);
      return;
    }
    if (!system.is_array()) fields_.wrong(path, "a string or an array of text blocks", system);
    size_t index = 0;
    for (const json::Value block : system.elements()) {
      const std::string at = at_index(path, index++);
      if (!block["type"].equals("text")) {
        fields_.fail(at + ".type", "expected \"text\"");
        return;
      }
      add_instruction({.kind = PartKind::text,
                       .text = fields_.string(block, "text", at),
                       .cache = read_cache(block)},
                      at);
    }
  }

  // Claude Code's account of itself to Anthropic is a line in front of its instructions that
  // changes from call to call. To others it says nothing, and no cache would know the prompt again.
  void add_instruction(Part part, const std::string& path) {
    if (part.text.starts_with("x-anthropic-billing-header:")) {
      drop(path);
      part.text.erase(0, std::min(part.text.find('\n'), part.text.size() - 1) + 1);
      if (part.text.empty()) return;
    }
    out_.system.push_back(std::move(part));
  }

  void read_messages() {
    const json::Value messages = root_["messages"];
    if (!messages.is_array()) {
      fields_.wrong("messages", "an array of messages", messages);
      return;
    }
    size_t index = 0;
    for (const json::Value message : messages.elements()) {
      read_message(message, at_index("messages", index++));
    }
    if (index == 0) fields_.fail("messages", "expected at least one message");
  }

  void read_message(json::Value message, const std::string& path) {
    if (!message.is_object()) {
      fields_.wrong(path, "an object", message);
      return;
    }
    const std::string role = fields_.string(message, "role", path);
    const json::Value content = message["content"];
    if (role == "system") {  // instructions inside the conversation: see openai_chat
      if (!out_.messages.empty()) drop(path + ".position");
      read_system(content, path + ".content");
      return;
    }
    if (role != "user" && role != "assistant") {
      fields_.fail(path + ".role", "expected user or assistant, got \"" + role + "\"");
      return;
    }
    Message& turn = out_.messages.emplace_back();
    turn.role = role == "user" ? Role::user : Role::assistant;
    if (content.is_string()) {
      turn.parts.push_back({.kind = PartKind::text, .text = content.string_or("")});
      return;
    }
    if (!content.is_array()) {
      fields_.wrong(path + ".content", "a string or an array of blocks", content);
      return;
    }
    read_blocks(content, path + ".content", turn.parts);
  }

  void read_blocks(json::Value blocks, const std::string& path, std::vector<Part>& parts) {
    size_t index = 0;
    for (const json::Value block : blocks.elements()) {
      const std::string at = at_index(path, index++);
      if (!block.is_object()) {
        fields_.wrong(at, "an object", block);
        return;
      }
      read_block(block, at, parts);
    }
  }

  void read_block(json::Value block, const std::string& path, std::vector<Part>& parts) {
    const std::string type = fields_.string(block, "type", path);
    Part part;
    part.cache = read_cache(block);
    if (type == "text") {
      part.text = fields_.string(block, "text", path);
      read_citations(block, part.citations);
    } else if (type == "image") {
      part.kind = PartKind::image;
      read_source(block, path, part);
    } else if (type == "document") {
      part.kind = PartKind::document;
      part.name = fields_.string(block, "title", path);
      read_source(block, path, part);
      if (block["citations"]["enabled"].as_bool().value_or(false)) drop(path + ".citations");
    } else if (type == "tool_use") {
      read_tool_use(block, path, part);
    } else if (type == "tool_result") {
      read_tool_result(block, path, part);
    } else if (type == "thinking") {
      part.kind = PartKind::thinking;
      part.text = fields_.string(block, "thinking", path);
      read_signature_field(part, fields_.string(block, "signature", path), kOwn);
    } else if (type == "redacted_thinking") {
      part.kind = PartKind::redacted_thinking;
      read_signature_field(part, fields_.string(block, "data", path), kOwn);
      if (part.kind == PartKind::text) {  // the signature of the text in front
        if (!parts.empty() && parts.back().kind == PartKind::text) {
          parts.back().signature = std::move(part.signature);
          parts.back().origin = part.origin;
        }
        return;
      }
    } else if (type == "search_result") {
      read_search_result(block, path, part);
    } else if (type == "mid_conv_system") {
      drop(path + ".position");
      read_system(block["content"], path + ".content");
      return;
    } else {
      if (type.empty()) fields_.fail(path + ".type", "expected the type of the block");
      // A tool that the provider ran, or something newer than this reader.
      part = native_part(block);
    }
    parts.push_back(std::move(part));
  }

  void read_source(json::Value block, const std::string& path, Part& part) {
    const json::Value source = fields_.object(block, "source", path);
    const std::string at = path + ".source";
    const std::string type = fields_.string(source, "type", at);
    part.media_type = fields_.string(source, "media_type", at);
    if (type == "base64") {
      part.data = fields_.string(source, "data", at);
    } else if (type == "url") {
      part.url = fields_.string(source, "url", at);
    } else if (type == "file") {
      part.id = fields_.string(source, "file_id", at);
    } else if (type == "text") {
      part.text = fields_.string(source, "data", at);
    } else if (type == "content") {  // a document made of blocks
      part.media_type = "text/plain";
      const json::Value content = source["content"];
      if (content.is_string()) part.text = content.string_or("");
      for (const json::Value piece : content.elements()) {
        if (piece["type"].equals("text")) {
          if (!part.text.empty()) part.text.push_back('\n');
          part.text += piece["text"].string_or("");
        } else {
          drop(at + ".content");
        }
      }
    } else {
      fields_.fail(at + ".type", "expected base64, url, text, content or file");
    }
  }

  void read_tool_use(json::Value block, const std::string& path, Part& part) {
    part.kind = PartKind::tool_call;
    CallId id = read_call_id(fields_.string(block, "id", path));
    part.id = std::move(id.id);
    part.signature = std::move(id.signature);
    part.origin = id.origin;
    if (part.id.empty()) fields_.fail(path + ".id", "expected the id of the call");
    part.name = fields_.string(block, "name", path);
    if (part.name.empty()) fields_.fail(path + ".name", "expected the name of the tool");
    const json::Value input = fields_.object(block, "input", path);
    part.json = input ? compact_json(input.raw()) : "{}";
    name_of_call_[part.id] = part.name;
  }

  void read_tool_result(json::Value block, const std::string& path, Part& part) {
    part.kind = PartKind::tool_result;
    part.id = read_call_id(fields_.string(block, "tool_use_id", path)).id;
    if (part.id.empty()) fields_.fail(path + ".tool_use_id", "expected the id of a tool_use block");
    part.is_error = fields_.boolean(block, "is_error", path).value_or(false);
    if (const auto found = name_of_call_.find(part.id); found != name_of_call_.end()) {
      part.name = found->second;
    }
    const json::Value content = block["content"];
    if (!content.exists() || content.is_null()) return;
    if (content.is_string()) {
      part.children.push_back({.kind = PartKind::text, .text = content.string_or("")});
      return;
    }
    if (!content.is_array()) {
      fields_.wrong(path + ".content", "a string or an array of blocks", content);
      return;
    }
    size_t index = 0;
    for (const json::Value piece : content.elements()) {
      const std::string at = at_index(path + ".content", index++);
      const json::Value type = piece["type"];
      // No results in results: nesting ends here.
      if (type.equals("text") || type.equals("image") || type.equals("document") ||
          type.equals("search_result")) {
        read_block(piece, at, part.children);
      } else {
        drop(at_member(at, type.string_or("type")));
      }
    }
  }

  // Text with its source in front: what a model without citations can use of it.
  void read_search_result(json::Value block, const std::string& path, Part& part) {
    const std::string title = fields_.string(block, "title", path);
    const std::string source = fields_.string(block, "source", path);
    part.text = title + " (" + source + ")";
    for (const json::Value piece : fields_.array(block, "content", path).elements()) {
      part.text += "\n" + piece["text"].string_or("");
    }
  }

  void read_tools() {
    size_t index = 0;
    for (const json::Value tool : fields_.array(root_, "tools").elements()) {
      const std::string path = at_index("tools", index++);
      if (!tool.is_object()) {
        fields_.wrong(path, "an object", tool);
        return;
      }
      const std::string type = fields_.string(tool, "type", path);
      Tool& out = out_.tools.emplace_back();
      if (!type.empty() && type != "custom") {  // a tool that the provider defines or runs
        out.name = type;
        out.native = compact_json(tool.raw());
        out.origin = kOwn;
        continue;
      }
      out.name = fields_.string(tool, "name", path);
      if (out.name.empty()) fields_.fail(path + ".name", "expected the tool's name");
      out.description = fields_.string(tool, "description", path);
      out.schema = fields_.object(tool, "input_schema", path).raw();
      out.strict = fields_.boolean(tool, "strict", path);
      out.cache = read_cache(tool);
    }
  }

  void read_tool_choice() {
    const json::Value choice = fields_.object(root_, "tool_choice");
    if (!choice) return;
    const std::string type = fields_.string(choice, "type", "tool_choice");
    if (type == "auto") {
      out_.tool_choice.kind = ToolChoiceKind::automatic;
    } else if (type == "any") {
      out_.tool_choice.kind = ToolChoiceKind::required;
    } else if (type == "none") {
      out_.tool_choice.kind = ToolChoiceKind::none;
    } else if (type == "tool") {
      out_.tool_choice = {ToolChoiceKind::named, fields_.string(choice, "name", "tool_choice")};
      if (out_.tool_choice.name.empty()) {
        fields_.fail("tool_choice.name", "expected the tool's name");
      }
    } else {
      fields_.fail("tool_choice.type", "expected auto, any, tool or none, got \"" + type + "\"");
    }
    const auto disable = fields_.boolean(choice, "disable_parallel_tool_use", "tool_choice");
    if (disable) out_.parallel_tool_calls = !*disable;
  }

  void read_thinking() {
    const json::Value thinking = fields_.object(root_, "thinking");
    const std::string type = fields_.string(thinking, "type", "thinking");
    Reasoning reasoning;
    if (type == "enabled") {
      reasoning.budget_tokens = fields_.integer(thinking, "budget_tokens", "thinking");
      if (!reasoning.budget_tokens) {
        fields_.fail("thinking.budget_tokens", "expected a number of tokens");
      }
    } else if (type == "adaptive") {
      reasoning.budget_tokens = -1;
    } else if (type == "disabled" || type == "between_tools") {
      reasoning.budget_tokens = 0;
    } else if (!type.empty()) {
      fields_.fail("thinking.type", "expected enabled, adaptive or disabled, got \"" + type + "\"");
    }
    if (type == "enabled" || type == "adaptive") {
      reasoning.include_thoughts = !thinking["display"].equals("omitted");
    }
    const json::Value config = fields_.object(root_, "output_config");
    reasoning.effort = fields_.string(config, "effort", "output_config");
    if (reasoning.effort == "max") reasoning.effort = "xhigh";
    // An effort says how much the adaptive model shall think; of two measures the number wins.
    if (!reasoning.effort.empty() && reasoning.budget_tokens == -1) reasoning.budget_tokens.reset();
    if (reasoning != Reasoning{}) out_.reasoning = reasoning;
  }

  // output_config.format; output_format is its name from the beta.
  void read_format() {
    json::Value format = root_["output_config"]["format"];
    if (!format.is_object()) format = fields_.object(root_, "output_format");
    if (!format.is_object()) return;
    if (!format["type"].equals("json_schema")) {
      drop("output_config.format");
      return;
    }
    out_.format.kind = FormatKind::json_schema;
    out_.format.schema = fields_.object(format, "schema", "output_config.format").raw();
    out_.format.strict = true;
    if (out_.format.schema.empty()) {
      fields_.fail("output_config.format.schema", "expected a JSON schema");
    }
  }

  void read_rest() {
    out_.max_output_tokens = fields_.integer(root_, "max_tokens");
    if (out_.max_output_tokens && *out_.max_output_tokens < 1) {
      fields_.fail("max_tokens", "expected a number of at least 1");
    }
    out_.temperature = fields_.number(root_, "temperature");
    out_.top_p = fields_.number(root_, "top_p");
    out_.top_k = fields_.number(root_, "top_k");
    size_t index = 0;
    for (const json::Value entry : fields_.array(root_, "stop_sequences").elements()) {
      if (!entry.is_string()) {
        fields_.wrong(at_index("stop_sequences", index), "a string", entry);
      }
      out_.stop.push_back(entry.string_or(""));
      ++index;
    }
    out_.user = fields_.string(fields_.object(root_, "metadata"), "user_id", "metadata");
    out_.service_tier = fields_.string(root_, "service_tier");
    out_.stream = fields_.boolean(root_, "stream").value_or(false);
    out_.stream_usage = out_.stream;  // a stream of this API always tells usage
  }

  void note_unknown() {
    constexpr std::string_view kKnown[] = {
        "model",
        "system",
        "messages",
        "tools",
        "tool_choice",
        "thinking",
        "top_p",
        "top_k",
        "output_config",
        "output_format",
        "temperature",
        "stream",
        "metadata",
        "stop_sequences",
        "service_tier",
        "max_tokens",
        "anthropic_version",  // Vertex and Bedrock have it in the body
    };
    note_unknown_members(out_.dropped, root_, kKnown);
  }

  json::Value root_;
  const Context& context_;
  FieldReader fields_;
  Conversation out_;
  std::map<std::string, std::string> name_of_call_;
};

}  // namespace

Result<Conversation> read_request(json::Value root, const Context& context) {
  return RequestReader(root, context).read();
}

}  // namespace weir::dialect::anthropic_messages
