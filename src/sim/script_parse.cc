// Scripts as JSON. Every member is checked by name and type, so that a test with a misspelled
// member fails at once instead of running without its fault.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/encoding.h"
#include "base/text.h"
#include "dialect/wire.h"
#include "sim/script.h"

namespace weir::sim {
namespace {

using dialect::FieldReader;
using dialect::PartKind;
using dialect::StopReason;

constexpr std::array kFaultKinds = {FaultKind::status,       FaultKind::content_filter,
                                    FaultKind::stall,        FaultKind::reset,
                                    FaultKind::close,        FaultKind::truncate,
                                    FaultKind::error_event,  FaultKind::garbage,
                                    FaultKind::garbage_body, FaultKind::oversized_header,
                                    FaultKind::slow};

constexpr std::array kDialects = {
    dialect::Dialect::openai_chat,        dialect::Dialect::openai_responses,
    dialect::Dialect::openai_completions, dialect::Dialect::openai_embeddings,
    dialect::Dialect::anthropic_messages, dialect::Dialect::gemini,
    dialect::Dialect::bedrock_converse,   dialect::Dialect::passthrough};

struct StopName {
  std::string_view name;
  StopReason stop;
};
constexpr std::array kStops = {StopName{"end_turn", StopReason::end_turn},
                               StopName{"stop", StopReason::end_turn},
                               StopName{"max_tokens", StopReason::max_tokens},
                               StopName{"length", StopReason::max_tokens},
                               StopName{"stop_sequence", StopReason::stop_sequence},
                               StopName{"tool_use", StopReason::tool_use},
                               StopName{"tool_calls", StopReason::tool_use},
                               StopName{"content_filter", StopReason::content_filter},
                               StopName{"refusal", StopReason::refusal},
                               StopName{"pause_turn", StopReason::pause_turn},
                               StopName{"context_window", StopReason::context_window},
                               StopName{"malformed_tool_call", StopReason::malformed_tool_call}};

std::string unknown(std::string_view what, std::string_view name,
                    std::span<const std::string_view> known) {
  std::string text = fmt::format("no such {} '{}'", what, name);
  if (const auto near = nearest(name, known)) text += fmt::format(" (did you mean '{}'?)", *near);
  return text;
}

// Notes the first member that no reader below knows.
void check_members(FieldReader& fields, json::Value object, std::string_view path,
                   std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : object.members()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    fields.fail(dialect::at_member(path, key),
                unknown("member", key, std::span(known.begin(), known.size())));
  }
}

double real(FieldReader& fields, json::Value object, std::string_view name, std::string_view path,
            double standard) {
  const json::Value value = object[name];
  if (!value.exists() || value.is_null()) return standard;
  if (const auto number = value.as_double(); number && *number >= 0) return *number;
  fields.wrong(dialect::at_member(path, name), "a number of at least 0", value);
  return standard;
}

Nanoseconds milliseconds(FieldReader& fields, json::Value object, std::string_view name,
                         std::string_view path, double standard = 0) {
  constexpr double kHourMs = 3'600'000;
  const double ms = std::min(real(fields, object, name, path, standard), kHourMs);
  return Nanoseconds(static_cast<int64_t>(ms * 1e6));
}

int64_t count(FieldReader& fields, json::Value object, std::string_view name, std::string_view path,
              int64_t standard) {
  const auto number = fields.integer(object, name, path);
  if (number && *number < 0)
    fields.wrong(dialect::at_member(path, name), "0 or more", object[name]);
  return number && *number >= 0 ? *number : standard;
}

// A string as text, any other JSON by its source.
std::string text_or_source(json::Value value) {
  return value.is_string() ? value.string_or("") : std::string(value.raw());
}

Latency read_latency(FieldReader& fields, json::Value value, std::string_view path) {
  check_members(fields, value, path, {"first_token_ms", "input_token_ms", "token_ms", "jitter"});
  Latency latency;
  latency.first_token = milliseconds(fields, value, "first_token_ms", path);
  latency.input_token = milliseconds(fields, value, "input_token_ms", path);
  latency.token = milliseconds(fields, value, "token_ms", path);
  latency.jitter = std::min(real(fields, value, "jitter", path, 0), 1.0);
  return latency;
}

Fault read_fault(FieldReader& fields, json::Value value) {
  constexpr std::string_view kPath = "fault";
  check_members(fields, value, kPath,
                {"kind", "status", "retry_after", "retry_after_ms", "message", "code", "body",
                 "content_type", "after_events", "duration_ms", "bytes", "pause_ms"});
  Fault fault;
  const std::string kind = fields.string(value, "kind", kPath);
  std::array<std::string_view, kFaultKinds.size()> names;
  std::transform(kFaultKinds.begin(), kFaultKinds.end(), names.begin(),
                 [](FaultKind one) { return to_string(one); });
  const auto found = std::find(names.begin(), names.end(), kind);
  if (found != names.end()) {
    fault.kind = kFaultKinds[static_cast<size_t>(found - names.begin())];
  } else if (!kind.empty() || !value["status"].exists()) {
    fields.fail("fault.kind", unknown("fault", kind, names));
  }
  fault.status = static_cast<int>(
      count(fields, value, "status", kPath, fault.kind == FaultKind::content_filter ? 400 : 500));
  if (fault.status < 200 || fault.status > 599) {
    fields.wrong("fault.status", "a status from 200 to 599", value["status"]);
  }
  for (const auto& [name, field] : {std::pair{"retry_after", &fault.retry_after},
                                    std::pair{"retry_after_ms", &fault.retry_after_ms}}) {
    if (value[name].exists()) *field = text_or_source(value[name]);
  }
  fault.message = fields.string(value, "message", kPath);
  fault.code = fields.string(value, "code", kPath);
  if (value["body"].exists()) fault.body = text_or_source(value["body"]);
  fault.content_type = fields.string(value, "content_type", kPath);
  fault.after_events = count(fields, value, "after_events", kPath, -1);
  fault.duration = milliseconds(fields, value, "duration_ms", kPath);
  fault.bytes = static_cast<size_t>(
      std::min<int64_t>(count(fields, value, "bytes", kPath, 0), int64_t{64} << 20));
  fault.pause = milliseconds(fields, value, "pause_ms", kPath, 50);
  return fault;
}

void add_part(ScriptedReply& reply, PartKind kind, std::string text) {
  if (text.empty()) return;
  dialect::Part part;
  part.kind = kind;
  part.text = std::move(text);
  // Providers sign what they thought, and want the signature back.
  if (kind == PartKind::thinking)
    part.signature = base64_encode("weir sim " + part.text.substr(0, 32));
  reply.parts.push_back(std::move(part));
}

void read_tool_calls(FieldReader& fields, json::Value calls, ScriptedReply& reply) {
  size_t index = 0;
  for (const json::Value call : calls.elements()) {
    const std::string path = dialect::at_index("reply.tool_calls", index++);
    check_members(fields, call, path, {"id", "name", "arguments", "input", "signature"});
    dialect::Part part;
    part.kind = PartKind::tool_call;
    part.id = fields.string(call, "id", path);
    part.name = fields.string(call, "name", path);
    part.signature = fields.string(call, "signature", path);
    part.freeform = call["input"].exists();
    if (part.freeform) {
      part.text = fields.string(call, "input", path);
    } else {
      part.json = call["arguments"].exists() ? text_or_source(call["arguments"]) : "{}";
    }
    if (part.name.empty()) fields.fail(path, "a tool call needs a name");
    reply.parts.push_back(std::move(part));
  }
}

ScriptedReply read_scripted(FieldReader& fields, json::Value value) {
  constexpr std::string_view kPath = "reply";
  check_members(fields, value, kPath,
                {"text", "thinking", "refusal", "tool_calls", "stop", "model", "usage", "tokens"});
  ScriptedReply reply;
  add_part(reply, PartKind::thinking, fields.string(value, "thinking", kPath));
  add_part(reply, PartKind::text, fields.string(value, "text", kPath));
  add_part(reply, PartKind::refusal, fields.string(value, "refusal", kPath));
  read_tool_calls(fields, fields.array(value, "tool_calls", kPath), reply);
  reply.model = fields.string(value, "model", kPath);
  if (const std::string stop = fields.string(value, "stop", kPath); !stop.empty()) {
    const auto* found = std::find_if(kStops.begin(), kStops.end(),
                                     [&](const StopName& one) { return one.name == stop; });
    std::array<std::string_view, kStops.size()> names;
    std::transform(kStops.begin(), kStops.end(), names.begin(),
                   [](const StopName& one) { return one.name; });
    if (found == kStops.end()) {
      fields.fail("reply.stop", unknown("reason to stop", stop, names));
    } else {
      reply.stop = found->stop;
    }
  }
  const json::Value usage = fields.object(value, "usage", kPath);
  check_members(fields, usage, "reply.usage",
                {"input", "cached", "cache_write", "output", "reasoning"});
  reply.input = fields.integer(usage, "input", "reply.usage");
  reply.cached = fields.integer(usage, "cached", "reply.usage");
  reply.cache_write = fields.integer(usage, "cache_write", "reply.usage");
  reply.output = fields.integer(usage, "output", "reply.usage");
  reply.reasoning = fields.integer(usage, "reasoning", "reply.usage");
  reply.tokens = fields.integer(value, "tokens", kPath);
  return reply;
}

void read_raw_stream(FieldReader& fields, json::Value value, RawReply& raw) {
  const json::Value chunks = fields.array(value, "chunks", "raw");
  const std::string lines = fields.string(value, "lines", "raw");
  raw.stream = chunks.exists() || !lines.empty();
  for (const json::Value chunk : chunks.elements()) raw.chunks.push_back(text_or_source(chunk));
  for (const std::string_view line : split(lines, '\n')) {
    if (!trim(line).empty()) raw.chunks.emplace_back(trim(line));
  }
}

RawReply read_raw(FieldReader& fields, json::Value value) {
  constexpr std::string_view kPath = "raw";
  check_members(fields, value, kPath,
                {"status", "content_type", "headers", "body", "body_base64", "json", "chunks",
                 "lines", "terminator", "crlf", "split", "pause_ms"});
  RawReply raw;
  raw.status = static_cast<int>(count(fields, value, "status", kPath, 200));
  if (raw.status < 200 || raw.status > 599) {
    fields.wrong("raw.status", "a status from 200 to 599", value["status"]);
  }
  raw.content_type = fields.string(value, "content_type", kPath);
  for (const auto& [name, field] : fields.object(value, "headers", kPath).members()) {
    raw.headers.emplace_back(name, text_or_source(field));
  }
  raw.body = fields.string(value, "body", kPath);
  if (const std::string coded = fields.string(value, "body_base64", kPath); !coded.empty()) {
    if (auto bytes = base64_decode(coded)) {
      raw.body = std::move(*bytes);
    } else {
      fields.fail("raw.body_base64", "expected base64");
    }
  }
  if (value["json"].exists()) raw.body = std::string(value["json"].raw());
  read_raw_stream(fields, value, raw);
  raw.terminator = fields.boolean(value, "terminator", kPath).value_or(true);
  raw.crlf = fields.boolean(value, "crlf", kPath).value_or(false);
  raw.split = static_cast<size_t>(count(fields, value, "split", kPath, 0));
  raw.pause = milliseconds(fields, value, "pause_ms", kPath);
  return raw;
}

void read_dialect(FieldReader& fields, json::Value value, Rule& rule) {
  const std::string name = fields.string(value, "dialect");
  if (name.empty()) return;
  std::array<std::string_view, kDialects.size()> names;
  std::transform(kDialects.begin(), kDialects.end(), names.begin(),
                 [](dialect::Dialect one) { return dialect::to_string(one); });
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    fields.fail("dialect", unknown("dialect", name, names));
  } else {
    rule.dialect = kDialects[static_cast<size_t>(found - names.begin())];
  }
}

}  // namespace

std::string_view to_string(FaultKind kind) {
  switch (kind) {
    case FaultKind::status:
      return "status";
    case FaultKind::content_filter:
      return "content_filter";
    case FaultKind::stall:
      return "stall";
    case FaultKind::reset:
      return "reset";
    case FaultKind::close:
      return "close";
    case FaultKind::truncate:
      return "truncate";
    case FaultKind::error_event:
      return "error_event";
    case FaultKind::garbage:
      return "garbage";
    case FaultKind::garbage_body:
      return "garbage_body";
    case FaultKind::oversized_header:
      return "oversized_header";
    case FaultKind::slow:
      return "slow";
  }
  return "status";
}

Result<Latency> parse_latency(json::Value value) {
  FieldReader fields;
  const Latency latency = read_latency(fields, value, "latency");
  if (!fields.ok()) return fail(fields.error());
  return latency;
}

Result<Rule> parse_rule(json::Value value) {
  if (!value.is_object()) return fail(ErrorCode::invalid_argument, "a rule is a JSON object");
  FieldReader fields;
  check_members(fields, value, {},
                {"name",   "match", "model",   "endpoint",  "path",   "key",  "dialect",
                 "stream", "tool",  "system",  "result_of", "result", "take", "after",
                 "times",  "rate",  "latency", "fault",     "reply",  "raw"});
  Rule rule;
  rule.name = fields.string(value, "name");
  rule.match = fields.string(value, "match");
  rule.model = fields.string(value, "model");
  rule.endpoint = fields.string(value, "endpoint");
  rule.path = fields.string(value, "path");
  rule.key = fields.string(value, "key");
  rule.tool = fields.string(value, "tool");
  rule.system = fields.string(value, "system");
  rule.result_of = fields.string(value, "result_of");
  rule.result = fields.string(value, "result");
  if (const json::Value take = fields.object(value, "take"); take.exists()) {
    check_members(fields, take, "take", {"after", "until"});
    rule.take = Take{fields.string(take, "after", "take"), fields.string(take, "until", "take")};
    if (rule.take->after.empty()) fields.fail("take.after", "says behind which text to begin");
  }
  read_dialect(fields, value, rule);
  rule.stream = fields.boolean(value, "stream");
  rule.after = static_cast<uint64_t>(count(fields, value, "after", {}, 0));
  rule.times = static_cast<uint64_t>(count(fields, value, "times", {}, 0));
  rule.rate = real(fields, value, "rate", {}, 1);
  if (const json::Value latency = fields.object(value, "latency"); latency.exists()) {
    rule.latency = read_latency(fields, latency, "latency");
  }
  if (const json::Value fault = fields.object(value, "fault"); fault.exists()) {
    rule.fault = read_fault(fields, fault);
  }
  if (const json::Value reply = fields.object(value, "reply"); reply.exists()) {
    rule.reply = read_scripted(fields, reply);
  }
  if (const json::Value raw = fields.object(value, "raw"); raw.exists()) {
    rule.raw = read_raw(fields, raw);
  }
  if (!fields.ok()) return fail(fields.error());
  if (!rule.fault && !rule.reply && !rule.raw && !rule.latency) {
    return fail(ErrorCode::invalid_argument,
                "a rule needs something to do: fault, reply, raw or latency");
  }
  return rule;
}

Result<std::vector<Rule>> parse_rules(json::Value value) {
  const json::Value list = value.is_array() ? value : value["rules"];
  std::vector<Rule> rules;
  if (!list.is_array()) {
    WEIR_TRY(Rule rule, parse_rule(value));
    rules.push_back(std::move(rule));
    return rules;
  }
  for (const json::Value one : list.elements()) {
    auto rule = parse_rule(one);
    if (!rule) {
      return fail(rule.error().code(),
                  fmt::format("rules[{}].{}", rules.size(), rule.error().message()));
    }
    rules.push_back(std::move(*rule));
  }
  return rules;
}

}  // namespace weir::sim
