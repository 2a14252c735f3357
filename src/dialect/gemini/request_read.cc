#include <algorithm>
#include <array>
#include <deque>

#include "dialect/gemini/gemini.h"
#include "dialect/signature.h"
#include "dialect/wire.h"

namespace weir::dialect::gemini {
namespace {

// The text of a functionResponse's `response`: clients wrap a plain result as {"output": ...} or
// {"result": ...}, an error as {"error": ...}; everything else is the result itself.
void read_response(Part& part, json::Value response) {
  Part text;
  if (response.is_object() && response.size() == 1) {
    for (const std::string_view name : {"output", "result", "content", "error"}) {
      const json::Value value = response[name];
      if (!value.exists()) continue;
      part.is_error = name == "error";
      text.text = value.is_string() ? value.string_or("") : compact_json(value.raw());
      part.children.push_back(std::move(text));
      return;
    }
  }
  text.text = response.is_string() ? response.string_or("") : compact_json(response.raw());
  if (!text.text.empty()) part.children.push_back(std::move(text));
}

class RequestReader {
 public:
  RequestReader(json::Value root, const Context& context) : root_(root), context_(context) {}

  Result<Conversation> read() {
    if (!root_.is_object()) {
      return fail(ErrorCode::invalid_argument, "the body: expected a JSON object");
    }
    read_model();
    read_system();
    read_contents();
    read_tools();
    read_tool_config();
    read_generation_config();
    note_unknown();
    if (!fields_.ok()) return fail(fields_.error());
    return std::move(out_);
  }

 private:
  void drop(std::string_view path) { note(out_.dropped, path); }

  void read_model() {
    out_.model = context_.model;
    if (out_.model.empty()) out_.model = fields_.string(root_, "model");
    if (out_.model.starts_with("models/")) out_.model.erase(0, 7);
    out_.stream = context_.stream;
    // Gemini tells usage in every stream.
    out_.stream_usage = context_.stream;
  }

  // --- contents ---

  void read_system() {
    const json::Value system = gemini_field(root_, "systemInstruction", "system_instruction");
    if (system.is_string()) {
      Part& part = out_.system.emplace_back();
      part.text = system.string_or("");
      return;
    }
    if (!system.exists() || system.is_null()) return;
    if (!system.is_object()) {
      fields_.wrong("systemInstruction", "an object with parts", system);
      return;
    }
    for (const json::Value value : parts_of(system)) {
      if (!value["text"].is_string()) {
        drop("systemInstruction.parts");
        continue;
      }
      Part& part = out_.system.emplace_back();
      part.text = value["text"].string_or("");
    }
  }

  // `parts` is a list; a single part in its place is taken as a list of one, as proto JSON does.
  static std::vector<json::Value> parts_of(json::Value content) {
    const json::Value parts = content["parts"];
    std::vector<json::Value> list;
    if (parts.is_object()) list.push_back(parts);
    for (const json::Value part : parts.elements()) list.push_back(part);
    return list;
  }

  void read_contents() {
    const json::Value contents = root_["contents"];
    if (contents.is_object()) {
      read_content(contents, "contents");
    } else if (!contents.is_array()) {
      fields_.wrong("contents", "an array of contents", contents);
      return;
    }
    size_t index = 0;
    for (const json::Value content : contents.elements()) {
      read_content(content, at_index("contents", index++));
    }
    if (contents.size() == 0) fields_.fail("contents", "expected at least one content");
  }

  void read_content(json::Value content, const std::string& path) {
    if (!content.is_object()) {
      fields_.wrong(path, "an object with role and parts", content);
      return;
    }
    const std::string role = fields_.string(content, "role", path);
    if (role != "" && role != "user" && role != "model" && role != "function" && role != "tool") {
      fields_.fail(path + ".role", "expected user, model or function, got \"" + role + "\"");
      return;
    }
    Message message;
    message.role = role == "model" ? Role::assistant : Role::user;
    size_t index = 0;
    for (const json::Value part : parts_of(content)) {
      read_part(part, at_index(path + ".parts", index++), message);
    }
    const bool goes_on = message.role == Role::assistant && !out_.messages.empty() &&
                         out_.messages.back().role == Role::assistant;
    if (!goes_on) {
      out_.messages.push_back(std::move(message));
      return;
    }
    for (Part& part : message.parts) join(out_.messages.back().parts, std::move(part));
  }

  // The chunks of a stream, sent back one by one, are the parts that they were pieces of.
  static void join(std::vector<Part>& parts, Part part) {
    const bool text = part.kind == PartKind::text || part.kind == PartKind::thinking;
    const bool piece =
        text && !parts.empty() && parts.back().kind == part.kind && parts.back().signature.empty();
    if (!piece) {
      parts.push_back(std::move(part));
      return;
    }
    Part& whole = parts.back();
    whole.text += part.text;
    if (part.signature.empty()) return;
    whole.signature = std::move(part.signature);
    whole.origin = part.origin;
    whole.id = std::move(part.id);
  }

  void read_part(json::Value value, const std::string& path, Message& message) {
    if (!value.is_object()) {
      fields_.wrong(path, "an object", value);
      return;
    }
    const json::Value call = gemini_field(value, "functionCall", "function_call");
    const json::Value response = gemini_field(value, "functionResponse", "function_response");
    if (call.is_object()) {
      read_call(value, call, path, message);
    } else if (response.is_object()) {
      read_function_response(response, path, message);
    } else if (value["text"].is_string()) {
      Part part;
      part.text = value["text"].string_or("");
      const bool thought = value["thought"].as_bool().value_or(false);
      if (thought) part.kind = PartKind::thinking;
      read_signature_field_base64(part, signature_of(value), Dialect::gemini);
      const bool signs = part.text.empty() && !part.signature.empty();
      if (thought || signs) {
        join(message.parts, std::move(part));
      } else {
        message.parts.push_back(std::move(part));
      }
    } else if (auto media = read_media(value)) {
      if (gemini_field(value, "videoMetadata", "video_metadata").exists()) {
        drop(path + ".videoMetadata");
      }
      message.parts.push_back(std::move(*media));
    } else if (value.size() > 0 && !value["thought"].exists()) {
      message.parts.push_back(native_part(value));
    }
  }

  static std::string signature_of(json::Value part) {
    return gemini_field(part, "thoughtSignature", "thought_signature").string_or("");
  }

  void read_call(json::Value value, json::Value call, const std::string& path, Message& message) {
    Part part;
    part.kind = PartKind::tool_call;
    part.name = fields_.string(call, "name", path + ".functionCall");
    if (part.name.empty())
      fields_.fail(path + ".functionCall.name", "expected the function's name");
    part.id = fields_.string(call, "id", path + ".functionCall");
    part.id = read_call_id(part.id).id;
    if (part.id.empty()) part.id = "call_" + std::to_string(calls_);
    ++calls_;
    const json::Value args = call["args"];
    part.json = args.is_object() ? compact_json(args.raw()) : "{}";
    part.signature = signature_of(value);
    if (part.signature == kForeignSignature) part.signature.clear();
    if (!part.signature.empty()) part.origin = Dialect::gemini;
    open_calls_.push_back({part.name, part.id});
    message.parts.push_back(std::move(part));
  }

  // Without an id, a response answers the first call of its name that has no answer yet.
  void read_function_response(json::Value response, const std::string& path, Message& message) {
    Part part;
    part.kind = PartKind::tool_result;
    part.name = fields_.string(response, "name", path + ".functionResponse");
    part.id = read_call_id(fields_.string(response, "id", path + ".functionResponse")).id;
    const auto open =
        std::find_if(open_calls_.begin(), open_calls_.end(), [&](const OpenCall& candidate) {
          return part.id.empty() ? candidate.name == part.name : candidate.id == part.id;
        });
    if (open != open_calls_.end()) {
      part.id = open->id;
      open_calls_.erase(open);
    } else if (part.id.empty()) {
      part.id = "call_" + part.name;  // answers nothing that the history shows
    }
    read_response(part, response["response"]);
    for (const json::Value extra : response["parts"].elements()) {
      if (auto media = read_media(extra)) part.children.push_back(std::move(*media));
    }
    message.parts.push_back(std::move(part));
  }

  // --- tools ---

  void read_tools() {
    const json::Value tools = root_["tools"];
    if (tools.is_object()) read_tool(tools, "tools");
    size_t index = 0;
    for (const json::Value tool : tools.elements()) read_tool(tool, at_index("tools", index++));
  }

  void read_tool(json::Value tool, const std::string& path) {
    for (const auto& [key, value] : tool.members()) {
      if (key != "functionDeclarations" && key != "function_declarations") {
        Tool native{.name = key, .origin = Dialect::gemini};
        json::Writer(native.native)
            .begin_object()
            .member_raw(key, compact_json(value.raw()))
            .end_object();
        out_.tools.push_back(std::move(native));
        continue;
      }
      size_t index = 0;
      for (const json::Value declaration : value.elements()) {
        read_declaration(declaration, at_index(at_member(path, key), index++));
      }
    }
  }

  void read_declaration(json::Value declaration, const std::string& path) {
    Tool tool;
    tool.name = fields_.string(declaration, "name", path);
    if (tool.name.empty()) fields_.fail(path + ".name", "expected the function's name");
    tool.description = fields_.string(declaration, "description", path);
    const json::Value schema =
        gemini_field(declaration, "parametersJsonSchema", "parameters_json_schema");
    const json::Value parameters = declaration["parameters"];
    if (schema.is_object()) {
      tool.schema = compact_json(schema.raw());
    } else if (parameters.is_object()) {
      tool.schema = json_schema_of(parameters);
    }
    out_.tools.push_back(std::move(tool));
  }

  void read_tool_config() {
    const json::Value config = gemini_field(root_, "toolConfig", "tool_config");
    if (gemini_field(config, "retrievalConfig", "retrieval_config").exists()) {
      drop("toolConfig.retrievalConfig");
    }
    const json::Value calling =
        gemini_field(config, "functionCallingConfig", "function_calling_config");
    const std::string mode = fields_.string(calling, "mode", "toolConfig.functionCallingConfig");
    const json::Value allowed =
        gemini_field(calling, "allowedFunctionNames", "allowed_function_names");
    ToolChoice& choice = out_.tool_choice;
    if (mode == "AUTO" || mode == "VALIDATED") {
      choice.kind = ToolChoiceKind::automatic;
    } else if (mode == "NONE") {
      choice.kind = ToolChoiceKind::none;
    } else if (mode == "ANY") {
      choice.kind = allowed.size() == 1 ? ToolChoiceKind::named : ToolChoiceKind::required;
      if (allowed.size() == 1) choice.name = (*allowed.elements().begin()).string_or("");
      if (allowed.size() > 1) keep_allowed(allowed);
    } else if (!mode.empty() && mode != "MODE_UNSPECIFIED") {
      fields_.fail("toolConfig.functionCallingConfig.mode",
                   "expected AUTO, ANY, NONE or VALIDATED, got \"" + mode + "\"");
    }
  }

  // "Any of these" is "any of all" once the others are not offered.
  void keep_allowed(json::Value allowed) {
    std::erase_if(out_.tools, [&](const Tool& tool) {
      if (!tool.native.empty()) return false;
      const auto names = allowed.elements();
      for (const json::Value name : names) {
        if (name.equals(tool.name)) return false;
      }
      return true;
    });
  }

  // --- generationConfig ---

  void read_generation_config() {
    const json::Value config = gemini_field(root_, "generationConfig", "generation_config");
    if (!config.exists() || config.is_null()) return;
    if (!config.is_object()) {
      fields_.wrong("generationConfig", "an object", config);
      return;
    }
    out_.temperature = number(config, "temperature", "temperature");
    out_.top_p = number(config, "topP", "top_p");
    out_.top_k = number(config, "topK", "top_k");
    out_.seed = number(config, "seed", "seed");
    out_.presence_penalty = number(config, "presencePenalty", "presence_penalty");
    out_.frequency_penalty = number(config, "frequencyPenalty", "frequency_penalty");
    out_.max_output_tokens = integer(config, "maxOutputTokens", "max_output_tokens");
    out_.candidates = integer(config, "candidateCount", "candidate_count");
    out_.logprobs = gemini_field(config, "responseLogprobs", "response_logprobs").as_bool();
    out_.top_logprobs = integer(config, "logprobs", "logprobs");
    const json::Value stop = gemini_field(config, "stopSequences", "stop_sequences");
    for (const json::Value sequence : stop.elements()) {
      if (const auto text = sequence.as_string()) out_.stop.push_back(*text);
    }
    read_format(config);
    read_thinking(gemini_field(config, "thinkingConfig", "thinking_config"));
    note_unknown_config(config);
  }

  std::string number(json::Value object, std::string_view camel, std::string_view snake) {
    const bool has_camel = object[camel].exists();
    return fields_.number(object, has_camel ? camel : snake, "generationConfig");
  }
  std::optional<int64_t> integer(json::Value object, std::string_view camel,
                                 std::string_view snake) {
    const bool has_camel = object[camel].exists();
    return fields_.integer(object, has_camel ? camel : snake, "generationConfig");
  }

  void read_format(json::Value config) {
    const std::string type =
        gemini_field(config, "responseMimeType", "response_mime_type").string_or("");
    json::Value schema = gemini_field(config, "responseJsonSchema", "response_json_schema");
    if (!schema.exists()) schema = config["_responseJsonSchema"];  // early SDKs
    const json::Value subset = gemini_field(config, "responseSchema", "response_schema");
    ResponseFormat& format = out_.format;
    if (schema.is_object() || subset.is_object()) {
      format.kind = FormatKind::json_schema;
      format.name = "response";
      format.schema = schema.is_object() ? compact_json(schema.raw()) : json_schema_of(subset);
      if (type == "text/x.enum") drop("generationConfig.responseMimeType");
    } else if (type == "application/json") {
      format.kind = FormatKind::json_object;
    } else if (type == "text/plain") {
      format.kind = FormatKind::text;
    } else if (!type.empty()) {
      drop("generationConfig.responseMimeType");
    }
  }

  void read_thinking(json::Value config) {
    if (!config.is_object()) return;
    Reasoning reasoning;
    reasoning.budget_tokens = gemini_field(config, "thinkingBudget", "thinking_budget").as_int64();
    reasoning.effort = gemini_field(config, "thinkingLevel", "thinking_level").string_or("");
    for (char& c : reasoning.effort) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    if (reasoning.effort == "thinking_level_unspecified") reasoning.effort.clear();
    reasoning.include_thoughts =
        gemini_field(config, "includeThoughts", "include_thoughts").as_bool();
    out_.reasoning = std::move(reasoning);
  }

  void note_unknown_config(json::Value config) {
    constexpr auto kKnown = std::to_array<std::string_view>({"temperature",
                                                             "topP",
                                                             "top_p",
                                                             "topK",
                                                             "top_k",
                                                             "seed",
                                                             "presencePenalty",
                                                             "presence_penalty",
                                                             "frequencyPenalty",
                                                             "frequency_penalty",
                                                             "maxOutputTokens",
                                                             "max_output_tokens",
                                                             "candidateCount",
                                                             "candidate_count",
                                                             "responseLogprobs",
                                                             "response_logprobs",
                                                             "logprobs",
                                                             "stopSequences",
                                                             "stop_sequences",
                                                             "responseMimeType",
                                                             "response_mime_type",
                                                             "responseSchema",
                                                             "response_schema",
                                                             "responseJsonSchema",
                                                             "response_json_schema",
                                                             "_responseJsonSchema",
                                                             "thinkingConfig",
                                                             "thinking_config"});
    for (const auto& [key, value] : config.members()) {
      if (value.is_null()) continue;
      if ((key == "responseModalities" || key == "response_modalities") && is_text_only(value)) {
        continue;
      }
      if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end()) {
        drop(at_member("generationConfig", key));
      }
    }
  }

  static bool is_text_only(json::Value modalities) {
    const auto list = modalities.elements();
    for (const json::Value modality : list) {
      if (!modality.equals("TEXT")) return false;
    }
    return true;
  }

  void note_unknown() {
    constexpr auto kKnown = std::to_array<std::string_view>(
        {"model", "contents", "systemInstruction", "system_instruction", "tools", "toolConfig",
         "tool_config", "generationConfig", "generation_config"});
    note_unknown_members(out_.dropped, root_, kKnown);
  }

  struct OpenCall {
    std::string name;
    std::string id;
  };

  const json::Value root_;
  const Context& context_;
  Conversation out_;
  FieldReader fields_;
  size_t calls_ = 0;
  std::deque<OpenCall> open_calls_;
};

}  // namespace

Result<Conversation> read_request(json::Value root, const Context& context) {
  return RequestReader(root, context).read();
}

}  // namespace weir::dialect::gemini
