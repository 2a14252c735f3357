#include <array>

#include "dialect/openai_responses/openai_responses.h"
#include "dialect/wire.h"

namespace weir::dialect::openai_responses {
namespace {

constexpr auto kClientTools = std::to_array<ClientTool>({
    {.type = "local_shell",
     .call = "local_shell_call",
     .prefix = "lsh_",
     .output = "local_shell_call_output",
     .arguments = "action",
     .description = "Runs a command on the user's machine and returns its output.",
     .schema =
         R"({"type":"object","properties":{"command":{"type":"array","items":{"type":"string"},)"
         R"("description":"The program and its arguments."},"working_directory":{"type":"string"},)"
         R"("timeout_ms":{"type":"integer"}},"required":["command"]})"},
    {.type = "shell",
     .call = "shell_call",
     .prefix = "sh_",
     .output = "shell_call_output",
     .arguments = "action",
     .description = "Runs shell commands on the user's machine and returns their output.",
     .schema =
         R"({"type":"object","properties":{"commands":{"type":"array","items":{"type":"string"}},)"
         R"("timeout_ms":{"type":"integer"},"max_output_length":{"type":"integer"}},)"
         R"("required":["commands"]})"},
    {.type = "apply_patch",
     .call = "apply_patch_call",
     .prefix = "apc_",
     .output = "apply_patch_call_output",
     .arguments = "operation",
     .description = "Creates, updates or deletes one file. The diff is in V4A format.",
     .schema =
         R"({"type":"object","properties":{"type":{"type":"string","enum":["create_file",)"
         R"("update_file","delete_file"]},"path":{"type":"string"},"diff":{"type":"string"}},)"
         R"("required":["type","path"]})"},
});

template <std::string_view ClientTool::* Member>
const ClientTool* find(std::string_view text) {
  for (const ClientTool& tool : kClientTools) {
    if (tool.*Member == text) return &tool;
  }
  return nullptr;
}

// What the object in Tool::format of a tool that is no custom tool says.
std::string namespace_of(const Tool& tool) {
  json::Document document;
  if (tool.freeform || tool.format.empty() || !document.parse(tool.format)) return {};
  return document.root()["type"].equals("namespace") ? document.root()["name"].string_or("")
                                                     : std::string();
}

std::string_view without(std::string_view name, const std::string& space) {
  const std::string prefix = full_name(space, "");
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

void write_function(json::Writer& w, const Tool& tool, std::string_view name) {
  w.begin_object().member("type", "function").member("name", name);
  w.key("description");
  if (tool.description.empty()) {
    w.null();
  } else {
    w.string(tool.description);
  }
  // The API requires the member, and null for a function without arguments.
  w.key("parameters").raw(tool.schema.empty() ? "null" : tool.schema);
  // Without the member the API takes strict for true, which most schemas do not fit.
  w.member("strict", tool.strict.value_or(false)).end_object();
}

void write_tool(json::Writer& w, const Tool& tool) {
  if (!tool.native.empty()) {
    if (tool.origin == Dialect::openai_responses) w.raw(tool.native);
    return;
  }
  if (tool.freeform) {
    w.begin_object().member("type", "custom").member("name", tool.name);
    if (!tool.description.empty()) w.member("description", tool.description);
    if (!tool.format.empty()) w.member_raw("format", tool.format);
    w.end_object();
    return;
  }
  const std::string space = namespace_of(tool);
  if (!space.empty()) {
    json::Document document;
    if (!document.parse(tool.format)) return;
    w.begin_object().member("type", "namespace").member("name", space);
    w.member("description", document.root()["description"].string_or(""));
    w.key("tools").begin_array();
    write_function(w, tool, without(tool.name, space));
    w.end_array().end_object();
    return;
  }
  if (!tool.format.empty() && client_tool_of_type(tool.name) != nullptr) {
    w.raw(tool.format);
    return;
  }
  write_function(w, tool, tool.name);
}

}  // namespace

const ClientTool* client_tool_of_type(std::string_view type) {
  return find<&ClientTool::type>(type);
}
const ClientTool* client_tool_of_call(std::string_view type) {
  return find<&ClientTool::call>(type);
}
const ClientTool* client_tool_of_output(std::string_view type) {
  return find<&ClientTool::output>(type);
}

void write_tools(json::Writer& w, const std::vector<Tool>& tools) {
  w.begin_array();
  for (const Tool& tool : tools) write_tool(w, tool);
  w.end_array();
}

void write_tool_choice(json::Writer& w, const Conversation& in) {
  switch (in.tool_choice.kind) {
    case ToolChoiceKind::unset:
    case ToolChoiceKind::automatic:
      w.string("auto");
      return;
    case ToolChoiceKind::none:
      w.string("none");
      return;
    case ToolChoiceKind::required:
      w.string("required");
      return;
    case ToolChoiceKind::named:
      break;
  }
  const CallForm form = form_of_call(in.tools, in.tool_choice.name, false);
  w.begin_object();
  if (form.kind == CallKind::client) {
    w.member("type", form.client->type);
  } else {
    w.member("type", form.kind == CallKind::custom ? "custom" : "function");
    w.member("name", form.name);
    if (!form.name_space.empty()) w.member("namespace", form.name_space);
  }
  w.end_object();
}

void write_text_config(json::Writer& w, const ResponseFormat& format, std::string_view verbosity) {
  w.begin_object().key("format").begin_object();
  if (format.kind == FormatKind::json_schema) {
    constexpr size_t kNameMax = 64;
    const std::string name = plain_id(format.name).substr(0, kNameMax);
    w.member("type", "json_schema").member("name", name.empty() ? "response" : name);
    if (!format.description.empty()) w.member("description", format.description);
    w.member_raw("schema", format.schema.empty() ? "{}" : format.schema);
    w.member("strict", format.strict.value_or(false));
  } else {
    w.member("type", format.kind == FormatKind::json_object ? "json_object" : "text");
  }
  w.end_object();
  if (!verbosity.empty()) w.member("verbosity", verbosity);
  w.end_object();
}

CallForm form_of_call(const std::vector<Tool>& tools, std::string_view name, bool freeform) {
  CallForm form{.kind = freeform ? CallKind::custom : CallKind::function};
  form.name = name;
  for (const Tool& tool : tools) {
    if (tool.name != name || !tool.native.empty()) continue;
    if (tool.freeform) {
      form.kind = CallKind::custom;
    } else if (!tool.format.empty()) {
      form.name_space = namespace_of(tool);
      form.client = form.name_space.empty() ? client_tool_of_type(name) : nullptr;
      if (form.client != nullptr) form.kind = CallKind::client;
      form.name = without(name, form.name_space);
    }
    break;
  }
  return form;
}

std::string input_of_arguments(std::string_view json) {
  json::Document document;
  if (!document.parse(json, {.unique_keys_levels = 0})) return std::string(json);
  const json::Value input = document.root()["input"];
  if (input.is_string()) return input.string_or("");
  // A model that wrote something else than the one string it was asked for.
  if (document.root().is_string()) return document.root().string_or("");
  return std::string(json);
}

void write_client_arguments(json::Writer& w, const ClientTool& tool, std::string_view json) {
  const std::string object = object_text(json);
  json::Document document;
  const bool local = tool.type == "local_shell";
  if (!local || !document.parse(object, {.unique_keys_levels = 0})) {
    w.raw(compact_json(object));
    return;
  }
  w.begin_object().member("type", "exec").key("command");
  const json::Value command = document.root()["command"];
  if (command.is_array()) {
    w.raw(compact_json(command.raw()));
  } else {
    // Models that do not know the tool write a line for a shell.
    w.begin_array().string("bash").string("-lc").string(command.string_or("")).end_array();
  }
  w.key("env").raw(document.root()["env"].is_object() ? document.root()["env"].raw() : "{}");
  for (const std::string_view name : {"timeout_ms", "user", "working_directory"}) {
    const json::Value value = document.root()[name];
    if (value.exists()) w.member_raw(name, value.raw());
  }
  w.end_object();
}

}  // namespace weir::dialect::openai_responses
