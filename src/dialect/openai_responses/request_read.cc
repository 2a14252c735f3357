#include <algorithm>
#include <iterator>
#include <map>

#include "dialect/openai_responses/openai_responses.h"
#include "dialect/signature.h"
#include "dialect/wire.h"

namespace weir::dialect::openai_responses {
namespace {

constexpr std::string_view kPdf = "application/pdf";

class RequestReader {
 public:
  RequestReader(json::Value root, const Context& context) : root_(root), context_(context) {}

  Result<Conversation> read() {
    if (!root_.is_object()) {
      return fail(ErrorCode::invalid_argument, "the body: expected a JSON object");
    }
    out_.model = fields_.string(root_, "model");
    if (out_.model.empty()) out_.model = context_.model;
    refuse_what_is_kept_elsewhere();
    out_.previous_response_id = fields_.string(root_, "previous_response_id");
    const std::string instructions = fields_.string(root_, "instructions");
    if (!instructions.empty()) out_.system.push_back({.text = instructions});
    read_tools();
    read_input();
    read_tool_choice();
    read_text();
    read_reasoning();
    read_include();
    read_rest();
    note_unknown();
    if (!fields_.ok()) return fail(fields_.error());
    return std::move(out_);
  }

 private:
  void drop(std::string_view path) { note(out_.dropped, path); }

  // Half of such a request lies with OpenAI: to go on without it would be another question.
  void refuse_what_is_kept_elsewhere() {
    for (const std::string_view name : {"conversation", "prompt"}) {
      const json::Value value = root_[name];
      if (!value.exists() || value.is_null()) continue;
      fields_.fail(name, "is kept by OpenAI and cannot be used with a provider of another API");
    }
    if (fields_.boolean(root_, "background").value_or(false)) {
      fields_.fail("background", "is not possible with a provider of another API");
    }
  }

  // --- input ---

  void read_input() {
    const json::Value input = root_["input"];
    if (input.is_string()) {
      out_.messages.push_back(
          {.role = Role::user, .parts = {{.kind = PartKind::text, .text = input.string_or("")}}});
      return;
    }
    if (!input.exists() || input.is_null()) {
      if (out_.previous_response_id.empty()) {
        fields_.wrong("input", "a string or an array of items", input);
      }
      return;
    }
    if (!input.is_array()) {
      fields_.wrong("input", "a string or an array of items", input);
      return;
    }
    size_t index = 0;
    for (const json::Value item : input.elements()) read_item(item, at_index("input", index++));
    if (index == 0 && out_.previous_response_id.empty()) {
      fields_.fail("input", "expected at least one item");
    }
  }

  void read_item(json::Value item, const std::string& path) {
    if (!item.is_object()) {
      fields_.wrong(path, "an object", item);
      return;
    }
    const std::string type = fields_.string(item, "type", path);
    if (type.empty() || type == "message") {
      read_message(item, path);
    } else if (type == "function_call_output" || type == "custom_tool_call_output") {
      read_result(item, path, "call_id");
    } else if (const ClientTool* tool = client_tool_of_output(type)) {
      read_result(item, path, tool->type == "local_shell" ? "id" : "call_id");
    } else if (type == "function_call" || type == "custom_tool_call") {
      if (fields_.string(item, "name", path).empty()) {
        fields_.fail(path + ".name", "expected the tool's name");
      }
      if (fields_.string(item, "call_id", path).empty()) {
        fields_.fail(path + ".call_id", "expected the call's id");
      }
      fields_.string(item, type == "function_call" ? "arguments" : "input", path);
      read_model_item(item, path);
    } else {
      // The place of an item that the provider keeps is told apart by its name.
      read_model_item(item, path);
    }
  }

  // What the model made: one turn until the client says something.
  void read_model_item(json::Value item, const std::string& path) {
    std::vector<Part>& parts = turn(Role::assistant).parts;
    const size_t before = parts.size();
    read_output_item(item, parts);
    for (size_t i = before; i < parts.size(); ++i) {
      if (parts[i].kind != PartKind::tool_call) continue;
      if (parts[i].id.empty()) fields_.fail(path + ".call_id", "expected the call's id");
      if (!parts[i].freeform) parts[i].json = object_text(parts[i].json);
      name_of_call_[parts[i].id] = parts[i].name;
      // Codex answers a call of local_shell by its call_id, the API's reference by the item's id.
      call_of_item_[item["id"].string_or("")] = parts[i].id;
    }
    if (parts.empty()) out_.messages.pop_back();
  }

  Message& turn(Role role) {
    if (out_.messages.empty() || out_.messages.back().role != role) {
      out_.messages.emplace_back().role = role;
    }
    return out_.messages.back();
  }

  void read_message(json::Value item, const std::string& path) {
    const std::string role = fields_.string(item, "role", path);
    if (item["phase"].is_string()) drop("input.phase");
    const json::Value content = item["content"];
    if (role == "system" || role == "developer") {
      // All instructions go to the one place that every other dialect has for them. Those that
      // stand behind the first turn keep their order and authority but lose their position.
      if (!out_.messages.empty()) drop(path + ".position");
      std::vector<Part> parts;
      read_content(content, path + ".content", parts);
      for (Part& part : parts) {
        part.name = role;
        out_.system.push_back(std::move(part));
      }
    } else if (role == "user") {
      Message& message = out_.messages.emplace_back();
      read_content(content, path + ".content", message.parts);
    } else if (role == "assistant") {
      std::vector<Part> parts;
      read_content(content, path + ".content", parts);
      const std::string id = fields_.string(item, "id", path);
      for (Part& part : parts) {
        if (part.kind == PartKind::text || part.kind == PartKind::refusal) part.id = id;
        turn(Role::assistant).parts.push_back(std::move(part));
      }
    } else {
      fields_.fail(path + ".role",
                   "expected user, assistant, system or developer, got \"" + role + "\"");
    }
  }

  // The answer of a tool: a string, or a list of contents.
  void read_result(json::Value item, const std::string& path, std::string_view id_name) {
    Part part{.kind = PartKind::tool_result};
    std::string id = fields_.string(item, "call_id", path);
    if (id.empty()) id = fields_.string(item, id_name, path);
    if (id.empty()) fields_.fail(path + ".call_id", "expected the id of a call");
    if (const auto found = call_of_item_.find(id); found != call_of_item_.end()) {
      id = found->second;
    }
    part.id = read_call_id(id).id;
    if (const auto found = name_of_call_.find(part.id); found != name_of_call_.end()) {
      part.name = found->second;
    }
    const json::Value output = item["output"];
    const json::Value type = item["type"];
    if (type.equals("shell_call_output") && output.is_array()) {
      part.children.push_back({.kind = PartKind::text, .text = compact_json(output.raw())});
    } else if (output.is_object()) {
      // Early versions of Codex wrap the text.
      read_content(output["content"], path + ".output.content", part.children);
      part.is_error = output["success"].as_bool() == false;
    } else {
      read_content(output, path + ".output", part.children);
    }
    if (type.equals("apply_patch_call_output")) {
      part.is_error = item["status"].equals("failed");
      if (part.children.empty()) {
        part.children.push_back({.kind = PartKind::text, .text = item["status"].string_or("")});
      }
    }
    // All results of one turn belong into one user turn.
    const bool goes_on = !out_.messages.empty() && out_.messages.back().role == Role::user &&
                         !out_.messages.back().parts.empty() &&
                         out_.messages.back().parts.back().kind == PartKind::tool_result;
    if (!goes_on) out_.messages.emplace_back();
    out_.messages.back().parts.push_back(std::move(part));
  }

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
    if (!value.is_object()) {
      fields_.wrong(path, "an object", value);
      return;
    }
    const std::string type = fields_.string(value, "type", path);
    Part part;
    if (type == "input_text" || type == "output_text" || type == "text" || type == "summary_text") {
      part.text = fields_.string(value, "text", path);
      for (const json::Value annotation : value["annotations"].elements()) {
        part.citations.push_back(read_annotation(annotation));
      }
    } else if (type == "refusal") {
      part.kind = PartKind::refusal;
      part.text = fields_.string(value, "refusal", path);
    } else if (type == "input_image") {
      read_image(value, path, part);
    } else if (type == "input_file") {
      read_file(value, path, part);
    } else if (type == "input_audio") {
      const json::Value audio = fields_.object(value, "input_audio", path);
      const std::string format = fields_.string(audio, "format", path + ".input_audio");
      part.kind = PartKind::audio;
      part.media_type = "audio/" + (format == "mp3" ? "mpeg" : format);
      part.data = fields_.string(audio, "data", path + ".input_audio");
    } else {
      if (type.empty()) fields_.fail(path + ".type", "expected the type of the part");
      drop(at_member(path, type));
      return;
    }
    parts.push_back(std::move(part));
  }

  void read_image(json::Value value, const std::string& path, Part& part) {
    part.kind = PartKind::image;
    part.detail = fields_.string(value, "detail", path);
    part.id = fields_.string(value, "file_id", path);
    const json::Value image = value["image_url"];
    // The object is chat's form, which clients send here too.
    const std::string url = image.is_object() ? fields_.string(image, "url", path + ".image_url")
                                              : fields_.string(value, "image_url", path);
    if (url.empty() && part.id.empty()) {
      fields_.fail(path + ".image_url", "expected an address or a data URL");
    }
    set_source(part, url);
  }

  void read_file(json::Value value, const std::string& path, Part& part) {
    part.kind = PartKind::document;
    part.name = fields_.string(value, "filename", path);
    part.id = fields_.string(value, "file_id", path);
    part.url = fields_.string(value, "file_url", path);
    const std::string data = fields_.string(value, "file_data", path);
    if (const auto parsed = parse_data_url(data)) {
      part.media_type = parsed->media_type;
      part.data = parsed->data;
    } else if (!data.empty()) {
      part.media_type = kPdf;
      part.data = data;
    }
  }

  static void set_source(Part& part, const std::string& url) {
    if (const auto data = parse_data_url(url)) {
      part.media_type = data->media_type;
      part.data = data->data;
    } else {
      part.url = url;
    }
  }

  // --- tools ---

  void read_tools() {
    size_t index = 0;
    for (const json::Value tool : fields_.array(root_, "tools").elements()) {
      const std::string path = at_index("tools", index++);
      if (!tool.is_object()) {
        fields_.wrong(path, "an object", tool);
        continue;
      }
      read_tool(tool, path, {}, {});
    }
    out_.parallel_tool_calls = fields_.boolean(root_, "parallel_tool_calls");
  }

  void read_tool(json::Value tool, const std::string& path, const std::string& space,
                 const std::string& space_format) {
    const std::string type = fields_.string(tool, "type", path);
    if (type == "function" || type == "custom") {
      Tool& out = out_.tools.emplace_back();
      const std::string name = fields_.string(tool, "name", path);
      if (name.empty()) fields_.fail(path + ".name", "expected the tool's name");
      out.name = full_name(space, name);
      out.description = fields_.string(tool, "description", path);
      if (type == "custom") {
        out.freeform = true;
        out.format = fields_.object(tool, "format", path).raw();
        return;
      }
      // Some clients nest the function as chat completions do.
      const json::Value function = tool["function"].is_object() ? tool["function"] : tool;
      out.schema = fields_.object(function, "parameters", path).raw();
      out.strict = fields_.boolean(function, "strict", path);
      out.format = space_format;
      return;
    }
    if (type == "namespace" && space.empty()) {
      const std::string name = fields_.string(tool, "name", path);
      std::string format;
      json::Writer(format)
          .begin_object()
          .member("type", "namespace")
          .member("name", name)
          .member("description", tool["description"].string_or(""))
          .end_object();
      size_t index = 0;
      for (const json::Value inner : fields_.array(tool, "tools", path).elements()) {
        read_tool(inner, at_index(path + ".tools", index++), name, format);
      }
      return;
    }
    if (type.empty()) {
      fields_.fail(path + ".type", "expected the type of the tool");
      return;
    }
    Tool& out = out_.tools.emplace_back();
    out.name = type;
    const ClientTool* client = client_tool_of_type(type);
    const bool hosted =
        tool["environment"]["type"].string_or("local") != "local";  // shell in a container
    if (client == nullptr || hosted) {
      out.native = compact_json(tool.raw());
      out.origin = Dialect::openai_responses;
      return;
    }
    out.description = client->description;
    out.schema = client->schema;
    out.format = compact_json(tool.raw());
  }

  void read_tool_choice() {
    const json::Value choice = root_["tool_choice"];
    if (!choice.exists() || choice.is_null()) return;
    ToolChoice& out = out_.tool_choice;
    if (choice.equals("auto")) {
      out.kind = ToolChoiceKind::automatic;
    } else if (choice.equals("none")) {
      out.kind = ToolChoiceKind::none;
    } else if (choice.equals("required")) {
      out.kind = ToolChoiceKind::required;
    } else if (choice["type"].equals("allowed_tools")) {
      read_allowed_tools(choice);
    } else if (choice.is_object()) {
      read_named_choice(choice);
    } else {
      fields_.fail("tool_choice",
                   "expected \"none\", \"auto\", \"required\" or an object naming a tool");
    }
  }

  // The name that a tool of a choice has among out_.tools; "" for those of the provider.
  std::string name_of_choice(json::Value choice) {
    const std::string type = choice["type"].string_or("");
    if (type != "function" && type != "custom") {
      return client_tool_of_type(type) == nullptr ? std::string() : type;
    }
    const json::Value function = choice["function"];
    return full_name(function.is_object() ? function : choice);
  }

  void read_named_choice(json::Value choice) {
    const std::string name = name_of_choice(choice);
    if (name.empty()) {
      // A tool that no other provider has cannot be forced either.
      drop(at_member("tool_choice", choice["type"].string_or("type")));
      return;
    }
    out_.tool_choice = {ToolChoiceKind::named, name};
  }

  // Elsewhere there is no such list: the tools that are not allowed are left out.
  void read_allowed_tools(json::Value choice) {
    std::vector<std::string> names;
    for (const json::Value tool : fields_.array(choice, "tools", "tool_choice").elements()) {
      const std::string name = name_of_choice(tool);
      names.push_back(name.empty() ? tool["type"].string_or("") : name);
    }
    std::erase_if(out_.tools, [&](const Tool& tool) {
      return std::find(names.begin(), names.end(), tool.name) == names.end();
    });
    out_.tool_choice.kind =
        choice["mode"].equals("required") ? ToolChoiceKind::required : ToolChoiceKind::automatic;
  }

  // --- the rest ---

  void read_text() {
    const json::Value text = fields_.object(root_, "text");
    out_.verbosity = fields_.string(text, "verbosity", "text");
    const json::Value format = fields_.object(text, "format", "text");
    if (!format) return;
    const std::string path = "text.format";
    const std::string type = fields_.string(format, "type", path);
    if (type == "text") {
      out_.format.kind = FormatKind::text;
    } else if (type == "json_object") {
      out_.format.kind = FormatKind::json_object;
    } else if (type == "json_schema") {
      out_.format.kind = FormatKind::json_schema;
      out_.format.name = fields_.string(format, "name", path);
      out_.format.description = fields_.string(format, "description", path);
      out_.format.schema = fields_.object(format, "schema", path).raw();
      out_.format.strict = fields_.boolean(format, "strict", path);
      if (out_.format.schema.empty()) out_.format.kind = FormatKind::json_object;
    } else {
      drop(at_member(path, type));
    }
  }

  void read_reasoning() {
    const json::Value object = fields_.object(root_, "reasoning");
    if (!object) return;
    Reasoning reasoning;
    reasoning.effort = fields_.string(object, "effort", "reasoning");
    reasoning.summary = fields_.string(object, "summary", "reasoning");
    if (reasoning.summary.empty()) {
      reasoning.summary = fields_.string(object, "generate_summary", "reasoning");
    }
    if (reasoning.summary == "none") reasoning.summary.clear();
    if (!reasoning.summary.empty()) reasoning.include_thoughts = true;
    if (reasoning != Reasoning{}) out_.reasoning = reasoning;
  }

  void read_include() {
    size_t index = 0;
    for (const json::Value entry : fields_.array(root_, "include").elements()) {
      const std::string path = at_index("include", index++);
      if (!entry.is_string()) {
        fields_.wrong(path, "a string", entry);
      } else if (entry.equals("reasoning.encrypted_content")) {
        out_.encrypted_reasoning = true;
      } else if (entry.equals("message.output_text.logprobs")) {
        out_.logprobs = true;
      } else {
        drop("include." + entry.string_or(""));
      }
    }
    out_.top_logprobs = fields_.integer(root_, "top_logprobs");
  }

  void read_rest() {
    out_.max_output_tokens = fields_.integer(root_, "max_output_tokens");
    if (out_.max_output_tokens && *out_.max_output_tokens < 1) {
      fields_.fail("max_output_tokens", "expected a number of at least 1");
    }
    out_.temperature = fields_.number(root_, "temperature");
    out_.top_p = fields_.number(root_, "top_p");
    out_.user = fields_.string(root_, "safety_identifier");
    if (out_.user.empty()) out_.user = fields_.string(root_, "user");
    out_.service_tier = fields_.string(root_, "service_tier");
    out_.metadata = fields_.object(root_, "metadata").raw();
    out_.prompt_cache_key = fields_.string(root_, "prompt_cache_key");
    out_.store = fields_.boolean(root_, "store");
    out_.stream = fields_.boolean(root_, "stream").value_or(false);
    if (fields_.string(root_, "truncation") == "auto") drop("truncation");
  }

  void note_unknown() {
    constexpr std::string_view kKnown[] = {
        "model",
        "input",
        "instructions",
        "previous_response_id",
        "conversation",
        "prompt",
        "background",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "text",
        "reasoning",
        "include",
        "top_logprobs",
        "max_output_tokens",
        "temperature",
        "top_p",
        "safety_identifier",
        "user",
        "service_tier",
        "metadata",
        "prompt_cache_key",
        "store",
        "stream",
        "stream_options",
        "truncation",
    };
    note_unknown_members(out_.dropped, root_, kKnown);
  }

  json::Value root_;
  const Context& context_;
  FieldReader fields_;
  Conversation out_;
  std::map<std::string, std::string> name_of_call_;
  std::map<std::string, std::string> call_of_item_;
};

}  // namespace

Result<Conversation> read_request(json::Value root, const Context& context) {
  return RequestReader(root, context).read();
}

}  // namespace weir::dialect::openai_responses
