#include "sim/script.h"

#include <algorithm>

#include "base/json/writer.h"
#include "sim/prompt.h"

namespace weir::sim {
namespace {

constexpr std::string_view kTaken = "${taken}";

bool holds(std::string_view text, std::string_view piece) {
  return text.find(piece) != std::string_view::npos;
}

// The members that look at the whole conversation.
bool fits_conversation(const Rule& rule, const CallFacts& facts) {
  const bool asks =
      !rule.tool.empty() || !rule.system.empty() || !rule.result.empty() || !rule.result_of.empty();
  if (!asks) return true;
  if (facts.conversation == nullptr) return false;
  const dialect::Conversation& conversation = *facts.conversation;
  if (!rule.tool.empty() &&
      std::none_of(conversation.tools.begin(), conversation.tools.end(),
                   [&](const dialect::Tool& tool) { return tool.name == rule.tool; })) {
    return false;
  }
  if (!rule.system.empty() &&
      std::none_of(conversation.system.begin(), conversation.system.end(),
                   [&](const dialect::Part& part) { return holds(part.text, rule.system); })) {
    return false;
  }
  if (rule.result.empty() && rule.result_of.empty()) return true;
  const std::vector<ToolResult> results = latest_results(conversation);
  return std::any_of(results.begin(), results.end(), [&](const ToolResult& result) {
    return (rule.result_of.empty() || result.name == rule.result_of) &&
           holds(result.text, rule.result);
  });
}

void replace_taken(std::string& text, std::string_view by) {
  for (size_t at = 0; (at = text.find(kTaken, at)) != std::string::npos; at += by.size()) {
    text.replace(at, kTaken.size(), by);
  }
}

bool fits(const Rule& rule, const CallFacts& facts) {
  if (rule.dialect && *rule.dialect != facts.dialect) return false;
  if (rule.stream && *rule.stream != facts.stream) return false;
  if (!rule.model.empty() && rule.model != facts.model) return false;
  if (!rule.endpoint.empty() && rule.endpoint != to_string(facts.endpoint)) return false;
  if (!rule.path.empty() && facts.path.find(rule.path) == std::string_view::npos) return false;
  if (!rule.key.empty() && !facts.key.ends_with(rule.key)) return false;
  if (!holds(facts.last_user_text, rule.match)) return false;
  if (!fits_conversation(rule, facts)) return false;
  return !rule.take || take_text(*rule.take, facts).has_value();
}

}  // namespace

std::optional<std::string> take_text(const Take& take, const CallFacts& facts) {
  std::string text;
  if (facts.conversation != nullptr) {
    for (const ToolResult& result : latest_results(*facts.conversation)) text += result.text + '\n';
  }
  if (text.empty()) text = facts.last_user_text;
  size_t begin = text.find(take.after);
  if (begin == std::string::npos) return std::nullopt;
  begin += take.after.size();
  const size_t end = text.find(take.until.empty() ? "\n" : take.until, begin);
  if (end == std::string::npos && !take.until.empty()) return std::nullopt;
  return text.substr(begin, end == std::string::npos ? end : end - begin);
}

ScriptedReply fill_reply(ScriptedReply reply, std::string_view taken) {
  const std::string quoted = json::quoted(taken);
  const std::string_view inner = std::string_view(quoted).substr(1, quoted.size() - 2);
  for (dialect::Part& part : reply.parts) {
    replace_taken(part.text, taken);
    replace_taken(part.json, inner);
  }
  return reply;
}

Result<uint64_t> Script::add(Rule rule) {
  if (entries_.size() >= kRulesMax) {
    return fail(ErrorCode::limit_exceeded, "the script holds 1,000 rules; take some away first");
  }
  rule.id = next_id_++;
  State& state = entries_.emplace_back();
  state.rule = std::make_shared<const Rule>(std::move(rule));
  return state.rule->id;
}

bool Script::remove(uint64_t id) {
  return std::erase_if(entries_, [&](const State& state) { return state.rule->id == id; }) > 0;
}

std::shared_ptr<const Rule> Script::pick(const CallFacts& facts, Random& random) {
  for (State& state : entries_) {
    const Rule& rule = *state.rule;
    if (!fits(rule, facts)) continue;
    if (rule.times > 0 && state.hits >= rule.times) continue;
    if (++state.fitted <= rule.after) continue;
    if (rule.rate < 1 && random.uniform() >= rule.rate) continue;
    ++state.hits;
    return state.rule;
  }
  return nullptr;
}

}  // namespace weir::sim
