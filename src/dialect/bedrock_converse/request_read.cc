#include <algorithm>
#include <array>
#include <map>

#include "dialect/bedrock_converse/bedrock_converse.h"
#include "dialect/wire.h"

namespace weir::dialect::bedrock_converse {
namespace {

class RequestReader {
 public:
  RequestReader(json::Value root, const Context& context) : root_(root), context_(context) {}

  Result<Conversation> read() {
    if (!root_.is_object()) {
      return fail(ErrorCode::invalid_argument, "the body: expected a JSON object");
    }
    out_.model = context_.model;
    out_.stream = context_.stream;
    out_.stream_usage = context_.stream;  // a stream of this API always tells usage
    read_blocks(root_["system"], "system", out_.system);
    read_messages();
    read_tools();
    read_inference();
    read_additional();
    read_output();
    read_rest();
    note_unknown();
    if (!fields_.ok()) return fail(fields_.error());
    return std::move(out_);
  }

 private:
  void drop(std::string_view path) { note(out_.dropped, path); }

  static CacheControl cache_of(json::Value point) { return {point["ttl"].string_or("5m")}; }

  void read_messages() {
    const json::Value messages = root_["messages"];
    if (!messages.is_array()) return fields_.wrong("messages", "an array of messages", messages);
    size_t index = 0;
    for (const json::Value message : messages.elements()) {
      const std::string path = at_index("messages", index++);
      if (!message.is_object()) return fields_.wrong(path, "an object", message);
      const std::string role = fields_.string(message, "role", path);
      if (role == "system") {
        drop(path + ".position");
        read_blocks(message["content"], path + ".content", out_.system);
        continue;
      }
      if (role != "user" && role != "assistant") {
        return fields_.fail(path + ".role", "expected user or assistant, got \"" + role + "\"");
      }
      Message& turn = out_.messages.emplace_back();
      turn.role = role == "user" ? Role::user : Role::assistant;
      read_blocks(message["content"], path + ".content", turn.parts);
    }
    if (index == 0) fields_.fail("messages", "expected at least one message");
  }

  void read_blocks(json::Value blocks, const std::string& path, std::vector<Part>& parts) {
    if (!blocks.exists() || blocks.is_null()) return;
    if (!blocks.is_array()) return fields_.wrong(path, "an array of blocks", blocks);
    size_t index = 0;
    for (const json::Value block : blocks.elements()) {
      const std::string at = at_index(path, index++);
      if (!block.is_object()) return fields_.wrong(at, "an object", block);
      read_block(block, at, parts);
    }
  }

  void read_block(json::Value block, const std::string& path, std::vector<Part>& parts) {
    Part part;
    if (block["text"].exists()) {
      part.text = fields_.string(block, "text", path);
    } else if (const json::Value point = block["cachePoint"]; point.exists()) {
      if (parts.empty()) return drop(path + ".cachePoint");
      parts.back().cache = cache_of(point);
      return;
    } else if (block["image"].exists()) {
      part = read_source(PartKind::image, "image", block, path);
    } else if (block["document"].exists()) {
      part = read_source(PartKind::document, "document", block, path);
    } else if (block["audio"].exists()) {
      part = read_source(PartKind::audio, "audio", block, path);
    } else if (block["reasoningContent"].exists()) {
      part = read_reasoning(fields_.object(block, "reasoningContent", path), path);
    } else if (block["toolUse"].is_object() && !block["toolUse"]["type"].exists()) {
      read_tool_use(block["toolUse"], path + ".toolUse", part);
    } else if (block["toolResult"].is_object() && !block["toolResult"]["type"].exists()) {
      read_tool_result(block["toolResult"], path + ".toolResult", part);
    } else {
      // guardContent, video, citationsContent, searchResult and what a provider's own tools say.
      if (block.size() == 0) return fields_.fail(path, "expected a block with one member");
      part.kind = PartKind::native;
      part.origin = Dialect::bedrock_converse;
      part.name = (*block.members().begin()).key;
      part.json = compact_json(block.raw());
    }
    parts.push_back(std::move(part));
  }

  Part read_source(PartKind kind, std::string_view name, json::Value block,
                   const std::string& path) {
    const json::Value object = fields_.object(block, name, path);
    const std::string at = at_member(path, name);
    Part part = read_source_block(kind, object, at, out_.dropped);
    if (part.data.empty() && part.url.empty() && part.text.empty()) {
      fields_.fail(at + ".source", "expected bytes, an S3 location or text");
    }
    return part;
  }

  Part read_reasoning(json::Value content, const std::string& path) {
    const std::string at = path + ".reasoningContent";
    Part part;
    part.origin = Dialect::bedrock_converse;
    if (content["redactedContent"].exists()) {
      part.kind = PartKind::redacted_thinking;
      part.data = fields_.string(content, "redactedContent", at);
      return part;
    }
    part.kind = PartKind::thinking;
    const json::Value text = fields_.object(content, "reasoningText", at);
    part.text = fields_.string(text, "text", at);
    part.signature = fields_.string(text, "signature", at);
    return part;
  }

  void read_tool_use(json::Value use, const std::string& path, Part& part) {
    part.kind = PartKind::tool_call;
    part.id = fields_.string(use, "toolUseId", path);
    part.name = fields_.string(use, "name", path);
    if (part.id.empty()) fields_.fail(path + ".toolUseId", "expected the id of the call");
    if (part.name.empty()) fields_.fail(path + ".name", "expected the name of a tool");
    const json::Value input = fields_.object(use, "input", path);
    part.json = input ? compact_json(input.raw()) : "{}";
    name_of_call_[part.id] = part.name;
  }

  void read_tool_result(json::Value result, const std::string& path, Part& part) {
    part.kind = PartKind::tool_result;
    part.id = fields_.string(result, "toolUseId", path);
    if (part.id.empty()) fields_.fail(path + ".toolUseId", "expected the id of a toolUse block");
    part.is_error = fields_.string(result, "status", path) == "error";
    if (const auto found = name_of_call_.find(part.id); found != name_of_call_.end()) {
      part.name = found->second;
    }
    size_t index = 0;
    for (const json::Value piece : fields_.array(result, "content", path).elements()) {
      const std::string at = at_index(path + ".content", index++);
      if (!piece.is_object()) return fields_.wrong(at, "an object", piece);
      if (const json::Value json = piece["json"]; json.exists()) {
        part.children.push_back({.text = compact_json(json.raw())});
      } else if (piece["toolUse"].exists() || piece["toolResult"].exists() ||
                 piece["cachePoint"].exists() || piece["reasoningContent"].exists()) {
        drop(at);  // no results in results: nesting ends here
      } else {
        read_block(piece, at, part.children);
      }
    }
  }

  void read_tools() {
    const json::Value config = fields_.object(root_, "toolConfig");
    size_t index = 0;
    for (const json::Value tool : fields_.array(config, "tools", "toolConfig").elements()) {
      const std::string path = at_index("toolConfig.tools", index++);
      if (!tool.is_object()) return fields_.wrong(path, "an object", tool);
      if (const json::Value point = tool["cachePoint"]; point.exists()) {
        if (out_.tools.empty()) {
          drop(path + ".cachePoint");
        } else {
          out_.tools.back().cache = cache_of(point);
        }
        continue;
      }
      Tool& out = out_.tools.emplace_back();
      const json::Value spec = tool["toolSpec"];
      if (!spec.is_object()) {
        if (tool.size() == 0) return fields_.fail(path, "expected a toolSpec");
        out.name = (*tool.members().begin()).key;
        out.native = compact_json(tool.raw());
        out.origin = Dialect::bedrock_converse;
        continue;
      }
      out.name = fields_.string(spec, "name", path);
      if (out.name.empty()) fields_.fail(path + ".toolSpec.name", "expected the tool's name");
      out.description = fields_.string(spec, "description", path);
      out.schema = compact_json(spec["inputSchema"]["json"].raw());
      out.strict = fields_.boolean(spec, "strict", path);
    }
    const json::Value choice = fields_.object(config, "toolChoice", "toolConfig");
    if (choice["auto"].exists()) {
      out_.tool_choice.kind = ToolChoiceKind::automatic;
    } else if (choice["any"].exists()) {
      out_.tool_choice.kind = ToolChoiceKind::required;
    } else if (const json::Value tool = choice["tool"]; tool.exists()) {
      out_.tool_choice = {ToolChoiceKind::named, tool["name"].string_or("")};
    }
  }

  void read_inference() {
    const json::Value config = fields_.object(root_, "inferenceConfig");
    constexpr std::string_view kPath = "inferenceConfig";
    out_.max_output_tokens = fields_.integer(config, "maxTokens", kPath);
    if (out_.max_output_tokens && *out_.max_output_tokens < 1) {
      fields_.fail("inferenceConfig.maxTokens", "expected a number of at least 1");
    }
    out_.temperature = fields_.number(config, "temperature", kPath);
    out_.top_p = fields_.number(config, "topP", kPath);
    for (const json::Value stop : fields_.array(config, "stopSequences", kPath).elements()) {
      if (!stop.is_string()) fields_.wrong("inferenceConfig.stopSequences", "strings", stop);
      out_.stop.push_back(stop.string_or(""));
    }
  }

  void read_additional() {
    const json::Value fields = fields_.object(root_, "additionalModelRequestFields");
    Reasoning reasoning;
    for (const auto& [key, value] : fields.members()) {
      if (key == "thinking") {
        if (value["type"].equals("enabled")) {
          reasoning.budget_tokens = value["budget_tokens"].as_int64();
        } else if (value["type"].equals("adaptive")) {
          reasoning.budget_tokens = -1;
        } else {
          reasoning.budget_tokens = 0;
        }
        if (value["display"].exists()) {
          reasoning.include_thoughts = !value["display"].equals("omitted");
        }
      } else if (key == "reasoningConfig") {
        if (value["type"].equals("enabled")) {
          reasoning.effort = value["maxReasoningEffort"].string_or("medium");
        } else {
          reasoning.effort = "none";
        }
      } else if (key == "reasoning_effort") {
        reasoning.effort = value.string_or("");
      } else if ((key == "top_k" || key == "k") && value.is_number()) {
        out_.top_k = value.raw();
      } else if (key == "inferenceConfig" && value["topK"].is_number()) {
        out_.top_k = value["topK"].raw();
      } else {
        drop(at_member("additionalModelRequestFields", key));
      }
    }
    const std::string effort = root_["outputConfig"]["effort"].string_or("");
    if (!effort.empty()) {
      reasoning.effort = effort == "max" ? "xhigh" : effort;
      if (reasoning.budget_tokens == -1) reasoning.budget_tokens.reset();
    }
    if (reasoning != Reasoning{}) out_.reasoning = reasoning;
  }

  void read_output() {
    const json::Value format = root_["outputConfig"]["textFormat"];
    if (!format.exists()) return;
    const json::Value schema = format["structure"]["jsonSchema"];
    if (!format["type"].equals("json_schema") || !schema["schema"].is_string()) {
      return drop("outputConfig.textFormat");
    }
    out_.format.kind = FormatKind::json_schema;
    out_.format.schema = schema["schema"].string_or("");
    if (!is_json(out_.format.schema)) {
      fields_.fail("outputConfig.textFormat.structure.jsonSchema.schema", "expected JSON");
    }
    out_.format.name = schema["name"].string_or("");
    out_.format.description = schema["description"].string_or("");
    out_.format.strict = true;
  }

  void read_rest() {
    out_.service_tier = fields_.string(fields_.object(root_, "serviceTier"), "type", "serviceTier");
    const json::Value metadata = fields_.object(root_, "requestMetadata");
    if (metadata) out_.metadata = compact_json(metadata.raw());
  }

  void note_unknown() {
    constexpr auto kKnown = std::to_array<std::string_view>(
        {"messages", "system", "inferenceConfig", "toolConfig", "additionalModelRequestFields",
         "requestMetadata", "serviceTier", "outputConfig", "additionalModelResponseFieldPaths"});
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

}  // namespace weir::dialect::bedrock_converse
