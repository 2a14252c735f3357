#include <algorithm>
#include <iterator>
#include <map>
#include <optional>

#include "dialect/openai_chat/openai_chat.h"
#include "dialect/signature.h"
#include "dialect/tools.h"
#include "dialect/wire.h"

namespace weir::dialect::openai_chat {
namespace {

std::optional<CacheControl> read_cache(json::Value object) {
  const json::Value cache = object["cache_control"];
  if (!cache.is_object()) return std::nullopt;
  return CacheControl{cache["ttl"].string_or("5m")};
}

// A picture or file is given by a data URL or by an address.
void set_source(Part& part, const std::string& url) {
  if (const auto data = parse_data_url(url)) {
    part.media_type = data->media_type;
    part.data = data->data;
  } else {
    part.url = url;
  }
}

class RequestReader {
 public:
  RequestReader(json::Value root, const Context& context) : root_(root), context_(context) {}

  Result<Conversation> read() {
    if (!root_.is_object()) {
      return fail(ErrorCode::invalid_argument, "the body: expected a JSON object");
    }
    out_.model = fields_.string(root_, "model");
    if (out_.model.empty()) out_.model = context_.model;
    read_messages();
    read_tools();
    read_tool_choice();
    read_web_search();
    read_format();
    read_reasoning();
    read_limits();
    read_rest();
    note_unknown();
    if (!fields_.ok()) return fail(fields_.error());
    return std::move(out_);
  }

 private:
  void drop(std::string_view path) { note(out_.dropped, path); }

  // --- messages ---

  void read_messages() {
    const json::Value messages = root_["messages"];
    if (!messages.is_array()) {
      fields_.wrong("messages", "an array of messages", messages);
      return;
    }
    size_t index = 0;
    for (const json::Value message : messages.elements()) {
      read_message(message, at_index("messages", index), index);
      ++index;
    }
    if (index == 0) fields_.fail("messages", "expected at least one message");
  }

  void read_message(json::Value message, const std::string& path, size_t index) {
    if (!message.is_object()) {
      fields_.wrong(path, "an object", message);
      return;
    }
    const std::string role = fields_.string(message, "role", path);
    if (role == "system" || role == "developer") {
      // All instructions go to the one place that every other dialect has for them. Those that
      // stand behind the first turn keep their order and authority but lose their position.
      if (!out_.messages.empty()) drop(path + ".position");
      read_content(message["content"], path + ".content", out_.system);
    } else if (role == "user") {
      Message& turn = out_.messages.emplace_back();
      turn.name = fields_.string(message, "name", path);
      read_content(message["content"], path + ".content", turn.parts);
      if (message["content"].is_null() || !message["content"]) {
        fields_.wrong(path + ".content", "a string or an array of parts", message["content"]);
      }
    } else if (role == "assistant") {
      read_assistant(message, path, index);
    } else if (role == "tool" || role == "function") {
      read_tool_result(message, path, role == "function");
    } else {
      fields_.fail(
          path + ".role",
          "expected system, developer, user, assistant, tool or function, got \"" + role + "\"");
    }
  }

  void read_assistant(json::Value message, const std::string& path, size_t index) {
    Message& turn = out_.messages.emplace_back();
    turn.role = Role::assistant;
    turn.name = fields_.string(message, "name", path);
    auto text_signature = read_thinking(message, turn.parts);
    read_content(message["content"], path + ".content", turn.parts);
    sign_text(turn.parts, std::move(text_signature));
    read_annotations(message["annotations"], turn.parts);
    const std::string refusal = fields_.string(message, "refusal", path);
    if (!refusal.empty()) turn.parts.push_back({.kind = PartKind::refusal, .text = refusal});
    if (message["audio"].is_object()) drop(path + ".audio");
    read_images(message, turn.parts);
    size_t call_index = 0;
    for (const json::Value call : fields_.array(message, "tool_calls", path).elements()) {
      read_call(call, at_index(path + ".tool_calls", call_index++), turn.parts);
    }
    // The form before tools: one call without an id, answered by the function's name.
    const json::Value call = fields_.object(message, "function_call", path);
    if (call) {
      Part part{.kind = PartKind::tool_call};
      part.id = "call_" + std::to_string(index);
      part.name = fields_.string(call, "name", path + ".function_call");
      if (part.name.empty()) {
        fields_.fail(path + ".function_call.name", "expected the name of the function");
      }
      part.json = object_text(fields_.string(call, "arguments", path + ".function_call"));
      last_call_of_name_[part.name] = part.id;
      remember(part);
      turn.parts.push_back(std::move(part));
    }
  }

  static void read_annotations(json::Value annotations, std::vector<Part>& parts) {
    if (annotations.size() == 0 || parts.empty() || parts.back().kind != PartKind::text) return;
    for (const json::Value annotation : annotations.elements()) {
      parts.back().citations.push_back(read_annotation(annotation, 0));
    }
  }

  void read_call(json::Value call, const std::string& path, std::vector<Part>& parts) {
    const json::Value type = call["type"];
    const bool custom = type.equals("custom");
    if (type.exists() && !type.is_null() && !type.equals("function") && !custom) {
      drop(path);
      return;
    }
    fields_.string(call, "id", path);
    const std::string member = custom ? "custom" : "function";
    const json::Value function = fields_.object(call, member, path);
    if (!function) {
      fields_.wrong(at_member(path, member), "an object", call[member]);
      return;
    }
    if (fields_.string(function, "name", at_member(path, member)).empty()) {
      fields_.fail(at_member(path, member) + ".name", "expected the name of the tool");
    }
    Part part = read_tool_call(call);
    if (part.id.empty()) fields_.fail(path + ".id", "expected the id of the call");
    if (!part.freeform) part.json = object_text(part.json);
    CallId id = read_call_id(part.id);
    part.id = std::move(id.id);
    if (part.signature.empty() && !id.signature.empty()) {
      part.signature = std::move(id.signature);
      part.origin = id.origin;
    }
    part.cache = read_cache(call);
    remember(part);
    parts.push_back(std::move(part));
  }

  void read_tool_result(json::Value message, const std::string& path, bool by_name) {
    Part part{.kind = PartKind::tool_result};
    part.name = fields_.string(message, "name", path);
    if (by_name) {
      const auto found = last_call_of_name_.find(part.name);
      part.id = found == last_call_of_name_.end() ? "call_" + plain_id(part.name) : found->second;
    } else {
      part.id = read_call_id(fields_.string(message, "tool_call_id", path)).id;
      if (part.id.empty()) fields_.fail(path + ".tool_call_id", "expected the id of a tool call");
    }
    if (const auto found = name_of_call_.find(part.id); found != name_of_call_.end()) {
      part.name = found->second;
    }
    part.cache = read_cache(message);
    read_content(message["content"], path + ".content", part.children);
    // All results of one turn belong into one user turn.
    const bool goes_on = !out_.messages.empty() && out_.messages.back().role == Role::user &&
                         !out_.messages.back().parts.empty() &&
                         out_.messages.back().parts.back().kind == PartKind::tool_result;
    if (!goes_on) out_.messages.emplace_back();
    out_.messages.back().parts.push_back(std::move(part));
  }

  void remember(const Part& call) { name_of_call_[call.id] = call.name; }

  // --- content ---

  void read_content(json::Value content, const std::string& path, std::vector<Part>& parts) {
    if (!content.exists() || content.is_null()) return;
    if (content.is_string()) {
      parts.push_back({.kind = PartKind::text, .text = content.string_or("")});
      return;
    }
    if (!content.is_array()) {
      fields_.wrong(path, "a string or an array of parts", content);
      return;
    }
    size_t index = 0;
    for (const json::Value part : content.elements()) {
      read_part(part, at_index(path, index++), parts);
    }
  }

  void read_part(json::Value value, const std::string& path, std::vector<Part>& parts) {
    if (value.is_string()) {  // some clients send a list of strings
      parts.push_back({.kind = PartKind::text, .text = value.string_or("")});
      return;
    }
    if (!value.is_object()) {
      fields_.wrong(path, "an object", value);
      return;
    }
    const std::string type = fields_.string(value, "type", path);
    Part part;
    part.cache = read_cache(value);
    if (type == "text" || type == "input_text" || type == "output_text") {
      part.text = fields_.string(value, "text", path);
    } else if (type == "refusal") {
      part.kind = PartKind::refusal;
      part.text = fields_.string(value, "refusal", path);
    } else if (type == "thinking") {  // Mistral; read_thinking() has it
      return;
    } else if (type == "image_url") {
      read_image(value, path, part);
    } else if (type == "input_audio") {
      const json::Value audio = fields_.object(value, "input_audio", path);
      const std::string format = fields_.string(audio, "format", path + ".input_audio");
      part.kind = PartKind::audio;
      part.media_type = "audio/" + (format == "mp3" ? "mpeg" : format);
      part.data = fields_.string(audio, "data", path + ".input_audio");
    } else if (type == "file") {
      const json::Value file = fields_.object(value, "file", path);
      part.kind = PartKind::document;
      part.name = fields_.string(file, "filename", path + ".file");
      part.id = fields_.string(file, "file_id", path + ".file");
      set_source(part, fields_.string(file, "file_data", path + ".file"));
    } else {
      if (type.empty()) fields_.fail(path + ".type", "expected the type of the part");
      drop(at_member(path, type));
      return;
    }
    parts.push_back(std::move(part));
  }

  void read_image(json::Value value, const std::string& path, Part& part) {
    part.kind = PartKind::image;
    const json::Value image = value["image_url"];
    if (image.is_string()) {
      set_source(part, image.string_or(""));
      return;
    }
    if (!image.is_object()) fields_.wrong(path + ".image_url", "an object with a url", image);
    const std::string url = fields_.string(image, "url", path + ".image_url");
    if (url.empty()) fields_.fail(path + ".image_url.url", "expected an address or a data URL");
    part.detail = fields_.string(image, "detail", path + ".image_url");
    set_source(part, url);
  }

  // --- tools ---

  void read_tools() {
    size_t index = 0;
    for (const json::Value tool : fields_.array(root_, "tools").elements()) {
      const std::string path = at_index("tools", index++);
      const json::Value type = tool["type"];
      if (type.equals("custom")) {
        read_custom(tool["custom"], path + ".custom");
        continue;
      }
      if (type.exists() && !type.equals("function")) {
        drop(at_member(path, type.string_or("type")));
        continue;
      }
      read_function(tool["function"], path + ".function");
      if (fields_.ok()) out_.tools.back().cache = read_cache(tool);
      if (fields_.ok() && !out_.tools.back().cache) {
        out_.tools.back().cache = read_cache(tool["function"]);
      }
    }
    index = 0;
    for (const json::Value function : fields_.array(root_, "functions").elements()) {
      read_function(function, at_index("functions", index++));
    }
  }

  void read_function(json::Value function, const std::string& path) {
    if (!function.is_object()) {
      fields_.wrong(path, "an object", function);
      return;
    }
    Tool& tool = out_.tools.emplace_back();
    tool.name = fields_.string(function, "name", path);
    if (tool.name.empty()) fields_.fail(path + ".name", "expected the tool's name");
    tool.description = fields_.string(function, "description", path);
    tool.schema = fields_.object(function, "parameters", path).raw();
    tool.strict = fields_.boolean(function, "strict", path);
  }

  // Tool::format has the Responses form, where the grammar's members stand beside the type.
  void read_custom(json::Value custom, const std::string& path) {
    if (!custom.is_object()) {
      fields_.wrong(path, "an object", custom);
      return;
    }
    Tool& tool = out_.tools.emplace_back();
    tool.freeform = true;
    tool.name = fields_.string(custom, "name", path);
    if (tool.name.empty()) fields_.fail(path + ".name", "expected the tool's name");
    tool.description = fields_.string(custom, "description", path);
    const json::Value format = fields_.object(custom, "format", path);
    if (!format) return;
    json::Writer w(tool.format);
    w.begin_object().member("type", format["type"].string_or("text"));
    for (const std::string_view name : {"syntax", "definition"}) {
      const json::Value value = format["grammar"][name];
      if (value.is_string()) w.member(name, value.string_or(""));
    }
    w.end_object();
  }

  void read_web_search() {
    const json::Value options = fields_.object(root_, kChatWebSearch);
    if (!options) return;
    Tool& tool = out_.tools.emplace_back();
    tool.name = kChatWebSearch;
    tool.native = compact_json(options.raw());
    tool.origin = Dialect::openai_chat;
  }

  void read_tool_choice() {
    json::Value choice = root_["tool_choice"];
    std::string path = "tool_choice";
    if (!choice.exists() || choice.is_null()) {
      choice = root_["function_call"];
      path = "function_call";
    }
    if (choice.exists() && !choice.is_null()) read_choice(choice, path);
    out_.parallel_tool_calls = fields_.boolean(root_, "parallel_tool_calls");
  }

  void read_choice(json::Value choice, const std::string& path) {
    if (choice.equals("auto")) {
      out_.tool_choice.kind = ToolChoiceKind::automatic;
    } else if (choice.equals("none")) {
      out_.tool_choice.kind = ToolChoiceKind::none;
    } else if (choice.equals("required") || choice.equals("any")) {
      out_.tool_choice.kind = ToolChoiceKind::required;
    } else if (choice["type"].equals("allowed_tools")) {
      read_allowed_tools(choice["allowed_tools"], path);
    } else if (choice.is_object()) {
      const json::Value function =
          choice["custom"].is_object() ? choice["custom"] : choice["function"];
      const std::string name = fields_.string(function ? function : choice, "name", path);
      if (name.empty()) {
        drop(at_member(path, choice["type"].string_or("name")));
        return;
      }
      out_.tool_choice = {ToolChoiceKind::named, name};
    } else {
      fields_.fail(path, "expected \"none\", \"auto\", \"required\" or an object naming a tool");
    }
  }

  // Elsewhere there is no such list: the tools that are not allowed are left out.
  void read_allowed_tools(json::Value allowed, const std::string& path) {
    std::vector<std::string> names;
    for (const json::Value tool : fields_.array(allowed, "tools", path).elements()) {
      const json::Value function = tool["custom"].is_object() ? tool["custom"] : tool["function"];
      names.push_back((function ? function : tool)["name"].string_or(""));
    }
    std::erase_if(out_.tools, [&](const Tool& tool) {
      return std::find(names.begin(), names.end(), tool.name) == names.end();
    });
    const bool required = allowed["mode"].equals("required");
    out_.tool_choice.kind = required ? ToolChoiceKind::required : ToolChoiceKind::automatic;
  }

  // --- the rest ---

  void read_format() {
    const json::Value format = fields_.object(root_, "response_format");
    if (!format) return;
    const std::string type = fields_.string(format, "type", "response_format");
    if (type == "text") {
      out_.format.kind = FormatKind::text;
    } else if (type == "json_object") {
      out_.format.kind = FormatKind::json_object;
    } else if (type == "json_schema") {
      const std::string path = "response_format.json_schema";
      const json::Value schema = fields_.object(format, "json_schema", "response_format");
      out_.format.kind = FormatKind::json_schema;
      out_.format.name = fields_.string(schema, "name", path);
      out_.format.description = fields_.string(schema, "description", path);
      out_.format.schema = fields_.object(schema, "schema", path).raw();
      out_.format.strict = fields_.boolean(schema, "strict", path);
      if (out_.format.schema.empty()) out_.format.kind = FormatKind::json_object;
    } else {
      drop(at_member("response_format", type));
    }
  }

  void read_reasoning() {
    Reasoning reasoning;
    reasoning.effort = fields_.string(root_, "reasoning_effort");
    // OpenRouter's object, and Anthropic's as LiteLLM's clients send it here.
    const json::Value object = fields_.object(root_, "reasoning");
    if (reasoning.effort.empty()) reasoning.effort = fields_.string(object, "effort", "reasoning");
    reasoning.budget_tokens = fields_.integer(object, "max_tokens", "reasoning");
    if (const auto exclude = fields_.boolean(object, "exclude", "reasoning")) {
      reasoning.include_thoughts = !*exclude;
    }
    const json::Value thinking = fields_.object(root_, "thinking");
    if (thinking["type"].equals("disabled")) reasoning.budget_tokens = 0;
    if (thinking["type"].equals("enabled") || thinking["type"].equals("adaptive")) {
      reasoning.budget_tokens = fields_.integer(thinking, "budget_tokens", "thinking").value_or(-1);
    }
    if (reasoning != Reasoning{}) out_.reasoning = reasoning;
  }

  void read_limits() {
    out_.max_output_tokens = fields_.integer(root_, "max_completion_tokens");
    if (!out_.max_output_tokens) out_.max_output_tokens = fields_.integer(root_, "max_tokens");
    if (out_.max_output_tokens && *out_.max_output_tokens < 1) {
      fields_.fail("max_tokens", "expected a number of at least 1");
    }
    out_.candidates = fields_.integer(root_, "n");
    if (out_.candidates && (*out_.candidates < 1 || *out_.candidates > 128)) {
      fields_.fail("n", "expected a number from 1 to 128");
    }
    const json::Value stop = root_["stop"];
    if (stop.is_string()) {
      out_.stop.push_back(stop.string_or(""));
      return;
    }
    size_t index = 0;
    for (const json::Value entry : fields_.array(root_, "stop").elements()) {
      if (!entry.is_string()) fields_.wrong(at_index("stop", index), "a string", entry);
      out_.stop.push_back(entry.string_or(""));
      ++index;
    }
  }

  void read_rest() {
    out_.temperature = fields_.number(root_, "temperature");
    out_.top_p = fields_.number(root_, "top_p");
    out_.top_k = fields_.number(root_, "top_k");
    out_.frequency_penalty = fields_.number(root_, "frequency_penalty");
    out_.presence_penalty = fields_.number(root_, "presence_penalty");
    out_.seed = fields_.number(root_, "seed");
    out_.logprobs = fields_.boolean(root_, "logprobs");
    out_.top_logprobs = fields_.integer(root_, "top_logprobs");
    out_.user = fields_.string(root_, "safety_identifier");
    if (out_.user.empty()) out_.user = fields_.string(root_, "user");
    out_.service_tier = fields_.string(root_, "service_tier");
    if (const json::Value pairs = fields_.object(root_, "metadata"); pairs.size() > 0) {
      out_.metadata = compact_json(pairs.raw());
    }
    out_.verbosity = fields_.string(root_, "verbosity");
    out_.prompt_cache_key = fields_.string(root_, "prompt_cache_key");
    out_.store = fields_.boolean(root_, "store");
    if (out_.store.value_or(false)) drop("store");
    out_.stream = fields_.boolean(root_, "stream").value_or(false);
    const json::Value options = fields_.object(root_, "stream_options");
    out_.stream_usage = fields_.boolean(options, "include_usage", "stream_options").value_or(false);
  }

  void note_unknown() {
    constexpr std::string_view kKnown[] = {
        "model",
        "messages",
        "tools",
        "tool_choice",
        "functions",
        "function_call",
        "temperature",
        "parallel_tool_calls",
        "top_p",
        "response_format",
        "top_k",
        "reasoning_effort",
        "reasoning",
        "thinking",
        "max_tokens",
        "max_completion_tokens",
        "n",
        "stop",
        "logprobs",
        "frequency_penalty",
        "seed",
        "presence_penalty",
        "top_logprobs",
        "user",
        "stream",
        "safety_identifier",
        "stream_options",
        "service_tier",
        "metadata",
        "verbosity",
        "prompt_cache_key",
        "store",
        "web_search_options",
    };
    note_unknown_members(out_.dropped, root_, kKnown);
  }

  json::Value root_;
  const Context& context_;
  FieldReader fields_;
  Conversation out_;
  std::map<std::string, std::string> name_of_call_;
  std::map<std::string, std::string> last_call_of_name_;
};

}  // namespace

Result<Conversation> read_request(json::Value root, const Context& context) {
  return RequestReader(root, context).read();
}

}  // namespace weir::dialect::openai_chat
