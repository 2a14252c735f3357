#include "sim/answer.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/json/document.h"
#include "base/json/writer.h"
#include "base/text.h"
#include "base/utf8.h"
#include "sim/prompt.h"
#include "sim/schema_instance.h"
#include "sim/words.h"

namespace weir::sim {
namespace {

using dialect::Candidate;
using dialect::Conversation;
using dialect::Dialect;
using dialect::Part;
using dialect::PartKind;
using dialect::Reply;
using dialect::StopReason;
using dialect::ToolChoiceKind;

constexpr int64_t kTextTokensMax = 100'000;
constexpr int64_t kCandidatesMax = 8;

// What a "#sim" line in the prompt asks for.
struct Directive {
  std::optional<int64_t> tokens, think, cached;
  std::string stop;
};

Directive read_directive(std::string_view text) {
  Directive directive;
  constexpr std::string_view kMark = "#sim ";
  const size_t at = text.find(kMark);
  if (at == std::string_view::npos) return directive;
  text = text.substr(at + kMark.size());
  text = text.substr(0, text.find('\n'));
  for (const std::string_view word : split(text, ' ')) {
    const size_t equals = word.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = word.substr(0, equals);
    const std::string_view value = word.substr(equals + 1);
    if (name == "tokens") directive.tokens = parse_int64(value);
    if (name == "think") directive.think = parse_int64(value);
    if (name == "cached") directive.cached = parse_int64(value);
    if (name == "stop") directive.stop = std::string(value);
  }
  return directive;
}

Part text_part(std::string text, PartKind kind = PartKind::text) {
  Part part;
  part.kind = kind;
  part.text = std::move(text);
  return part;
}

std::string arguments_for(const dialect::Tool& tool) {
  if (tool.schema.empty()) return "{}";
  json::Document document;
  if (!document.parse(tool.schema)) return "{}";
  std::string text = schema_instance(document.root());
  return text.starts_with('{') ? text : "{}";
}

// Whether a word of the tool's name (four letters or more) occurs in the text.
bool mentions(std::string_view text, std::string_view name) {
  const std::string lower = to_lower(text);
  std::string word;
  for (const char c : std::string(name) + "_") {
    if (c != '_' && c != '-' && c != '.') {
      word.push_back(ascii_lower(c));
      continue;
    }
    if (word.size() >= 4 && lower.find(word) != std::string::npos) return true;
    word.clear();
  }
  return false;
}

std::vector<const dialect::Tool*> tools_to_call(const Conversation& conversation,
                                                std::string_view user_text) {
  std::vector<const dialect::Tool*> calls;
  const dialect::ToolChoice& choice = conversation.tool_choice;
  if (choice.kind == ToolChoiceKind::none) return calls;
  for (const dialect::Tool& tool : conversation.tools) {
    const bool wanted = choice.kind == ToolChoiceKind::named ? tool.name == choice.name
                                                             : mentions(user_text, tool.name);
    if (wanted) calls.push_back(&tool);
  }
  if (calls.empty() && choice.kind == ToolChoiceKind::required && !conversation.tools.empty()) {
    calls.push_back(&conversation.tools.front());
  }
  if (calls.size() > 1 && !conversation.parallel_tool_calls.value_or(true)) calls.resize(1);
  return calls;
}

int64_t thinking_tokens(const Conversation& conversation, const Directive& directive) {
  if (directive.think) return std::clamp<int64_t>(*directive.think, 0, kTextTokensMax);
  if (!conversation.reasoning) return 0;
  const dialect::Reasoning& reasoning = *conversation.reasoning;
  if (reasoning.budget_tokens) {
    if (*reasoning.budget_tokens < 0) return 32;
    return std::min<int64_t>(*reasoning.budget_tokens, 64);
  }
  if (reasoning.effort.empty() || reasoning.effort == "none") return 0;
  if (reasoning.effort == "minimal") return 4;
  if (reasoning.effort == "low") return 16;
  return reasoning.effort == "medium" ? 32 : 64;
}

// OpenAI's chat and responses bill thinking and keep it to themselves.
bool shows_thinking(const AnswerRequest& request) {
  switch (request.dialect) {
    case Dialect::anthropic_messages:
    case Dialect::bedrock_converse:
      return true;
    case Dialect::gemini:
      return request.conversation.reasoning &&
             request.conversation.reasoning->include_thoughts.value_or(false);
    default:
      return false;
  }
}

std::string demo_text(const AnswerRequest& request, std::string_view user_text) {
  std::string_view quote = first_tokens(trim(user_text), 24);
  const bool cut = quote.size() < trim(user_text).size();
  if (quote.empty()) quote = "nothing yet";
  return fmt::format(
      "Hello! You said: \"{}{}\"\n\nI am the simulator that is built into Weir, so what I say is "
      "made up; but everything around it is real. This reply {} the gateway, was counted, priced "
      "and written to the request log, where the console can show it to you. To talk to a real "
      "model, put an account and a model into weir.yaml and start Weir with it: your client keeps "
      "its base URL.",
      quote, cut ? "..." : "",
      request.conversation.stream ? "was streamed token by token through" : "came through");
}

class AnswerMaker {
 public:
  AnswerMaker(const AnswerRequest& request, const AnswerSettings& settings)
      : request_(request),
        settings_(settings),
        user_text_(last_user_text(request.conversation)),
        directive_(read_directive(user_text_)) {}

  Reply make() {
    const Conversation& conversation = request_.conversation;
    Reply reply;
    reply.model = conversation.model;
    if (request_.script != nullptr && !request_.script->model.empty()) {
      reply.model = request_.script->model;
    }
    reply.created = request_.now_s;
    reply.id = make_id(id_prefix());
    const int64_t candidates =
        std::clamp<int64_t>(conversation.candidates.value_or(1), 1, kCandidatesMax);
    reply.usage = request_.input;
    for (int64_t i = 0; i < candidates; ++i) {
      candidate_ = i;
      reply.candidates.push_back(make_candidate());
      count_output(reply.candidates.back(), reply.usage);
    }
    apply_script_usage(reply.usage);
    return reply;
  }

 private:
  std::string_view id_prefix() const {
    switch (request_.dialect) {
      case Dialect::anthropic_messages:
        return "msg_";
      case Dialect::openai_completions:
        return "cmpl-";
      case Dialect::openai_responses:
        return "resp_";
      case Dialect::gemini:
      case Dialect::bedrock_converse:
        return "";
      default:
        return "chatcmpl-";
    }
  }

  std::string make_id(std::string_view prefix) {
    const uint64_t hash = hash_text(fmt::format("{}/{}/{}", settings_.seed, request_.call, ids_++));
    return fmt::format("{}sim{:016x}", prefix, hash);
  }

  Candidate make_candidate() {
    Candidate candidate;
    if (request_.script != nullptr && !request_.script->parts.empty()) {
      candidate.parts = request_.script->parts;
    } else {
      make_parts(candidate);
    }
    for (Part& part : candidate.parts) {
      // Only Gemini signs calls.
      if (part.kind == PartKind::tool_call && request_.dialect != Dialect::gemini) {
        part.signature.clear();
      }
      if (!part.signature.empty()) part.origin = request_.dialect;
      if (part.kind != PartKind::tool_call || !part.id.empty()) continue;
      part.id = make_id(request_.dialect == Dialect::anthropic_messages ? "toolu_" : "call_");
    }
    obey_stop_sequences(candidate);
    obey_limit(candidate);
    if (candidate.stop == StopReason::unset) candidate.stop = natural_stop(candidate);
    if (request_.script != nullptr && request_.script->stop != StopReason::unset) {
      candidate.stop = request_.script->stop;
    }
    if (directive_.stop == "content_filter") candidate.stop = StopReason::content_filter;
    if (directive_.stop == "refusal") candidate.stop = StopReason::refusal;
    return candidate;
  }

  static StopReason natural_stop(const Candidate& candidate) {
    for (const Part& part : candidate.parts) {
      if (part.kind == PartKind::tool_call) return StopReason::tool_use;
      if (part.kind == PartKind::refusal) return StopReason::refusal;
    }
    return StopReason::end_turn;
  }

  void make_parts(Candidate& candidate) {
    const Conversation& conversation = request_.conversation;
    const uint64_t hash = hash_text(fmt::format("{}\x1F{}\x1F{}\x1F{}", settings_.seed,
                                                conversation.model, candidate_, user_text_));
    Random random(hash);
    thought_ = thinking_tokens(conversation, directive_);
    if (thought_ > 0 && shows_thinking(request_)) {
      Random thinking(hash + 1);
      Part part = text_part(make_text(thinking, thought_), PartKind::thinking);
      part.signature = base64_encode(fmt::format("weir sim {:016x}", hash_text(part.text)));
      candidate.parts.push_back(std::move(part));
    }
    const std::string result = last_tool_result(conversation);
    if (!result.empty()) {
      candidate.parts.push_back(
          text_part(fmt::format("The tool said: {}.", first_tokens(result, 64))));
      return;
    }
    if (add_calls(candidate)) return;
    candidate.parts.push_back(text_part(make_answer_text(random)));
  }

  bool add_calls(Candidate& candidate) {
    const auto calls = tools_to_call(request_.conversation, user_text_);
    for (const dialect::Tool* tool : calls) {
      Part part;
      part.kind = PartKind::tool_call;
      part.name = tool->name;
      part.json = arguments_for(*tool);
      // Gemini signs the first call of a turn and wants the signature back.
      if (request_.dialect == Dialect::gemini && tool == calls.front()) {
        part.signature = base64_encode(fmt::format("weir sim {:016x}", hash_text(tool->name)));
      }
      candidate.parts.push_back(std::move(part));
    }
    return !calls.empty();
  }

  std::string make_answer_text(Random& random) {
    const dialect::ResponseFormat& format = request_.conversation.format;
    json::Document document;
    if (format.kind == dialect::FormatKind::json_schema && document.parse(format.schema)) {
      return schema_instance(document.root());
    }
    if (format.kind == dialect::FormatKind::json_object)
      return R"({"answer":"from the simulator"})";
    if (settings_.demo && !directive_.tokens) return demo_text(request_, user_text_);
    int64_t tokens = settings_.output_tokens / 2 +
                     static_cast<int64_t>(random.below(static_cast<uint32_t>(
                         std::clamp<int64_t>(settings_.output_tokens, 0, kTextTokensMax) + 1)));
    if (request_.script != nullptr && request_.script->tokens) tokens = *request_.script->tokens;
    if (directive_.tokens) tokens = *directive_.tokens;
    return make_text(random, std::clamp<int64_t>(tokens, 0, kTextTokensMax));
  }

  void obey_stop_sequences(Candidate& candidate) {
    for (Part& part : candidate.parts) {
      if (part.kind != PartKind::text) continue;
      for (const std::string& stop : request_.conversation.stop) {
        const size_t at = stop.empty() ? std::string::npos : part.text.find(stop);
        if (at == std::string::npos) continue;
        part.text.resize(at);
        candidate.stop = StopReason::stop_sequence;
        candidate.stop_sequence = stop;
      }
    }
  }

  void obey_limit(Candidate& candidate) {
    const auto limit = request_.conversation.max_output_tokens;
    if (!limit || *limit <= 0) return;
    // Hidden thinking comes out of the same allowance.
    int64_t left = *limit - (shows_thinking(request_) ? 0 : thought_);
    for (size_t i = 0; i < candidate.parts.size(); ++i) {
      Part& part = candidate.parts[i];
      const int64_t tokens = part_output(part);
      if (tokens <= left) {
        left -= tokens;
        continue;
      }
      // A call's arguments are left whole: a cut object is for scripts to ask for.
      if (part.kind != PartKind::tool_call) {
        part.text = std::string(first_tokens(part.text, std::max<int64_t>(left, 0)));
        candidate.parts.resize(i + 1);
        candidate.stop = StopReason::max_tokens;
        candidate.stop_sequence.clear();
        return;
      }
    }
  }

  static int64_t part_output(const Part& part) {
    return count_tokens(part.text) + count_tokens(part.json) + count_tokens(part.name);
  }

  void count_output(const Candidate& candidate, dialect::Usage& usage) const {
    int64_t thinking = 0;
    for (const Part& part : candidate.parts) {
      const int64_t tokens = part_output(part);
      usage.output += tokens;
      if (part.kind == PartKind::thinking) thinking += tokens;
    }
    if (thinking == 0) {  // it was not shown
      usage.output += thought_;
      thinking = thought_;
    }
    usage.reasoning += thinking;
  }

  void apply_script_usage(dialect::Usage& usage) const {
    if (directive_.cached) {
      const int64_t cached = std::clamp<int64_t>(*directive_.cached, 0, usage.total_input());
      usage.input = usage.total_input() - cached;
      usage.cache_write_5m = usage.cache_write_1h = 0;
      usage.cache_read = cached;
    }
    if (request_.script == nullptr) return;
    const ScriptedReply& script = *request_.script;
    if (script.cached) usage.cache_read = *script.cached;
    if (script.cache_write) usage.cache_write_5m = *script.cache_write;
    if (script.input) {  // the whole input, of which cached and written are parts
      usage.input = std::max<int64_t>(
          0, *script.input - script.cached.value_or(0) - script.cache_write.value_or(0));
      if (!script.cached) usage.cache_read = 0;
      if (!script.cache_write) usage.cache_write_5m = 0;
      usage.cache_write_1h = 0;
    }
    if (script.output) usage.output = *script.output;
    if (script.reasoning) usage.reasoning = *script.reasoning;
  }

  const AnswerRequest& request_;
  const AnswerSettings& settings_;
  std::string user_text_;
  Directive directive_;
  int64_t candidate_ = 0;
  int64_t thought_ = 0;  // tokens of thinking, shown or not
  uint64_t ids_ = 0;
};

}  // namespace

Reply make_answer(const AnswerRequest& request, const AnswerSettings& settings) {
  return AnswerMaker(request, settings).make();
}

}  // namespace weir::sim
