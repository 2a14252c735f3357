#include "sim/script.h"

#include <algorithm>

namespace weir::sim {
namespace {

bool fits(const Rule& rule, const CallFacts& facts) {
  if (rule.dialect && *rule.dialect != facts.dialect) return false;
  if (rule.stream && *rule.stream != facts.stream) return false;
  if (!rule.model.empty() && rule.model != facts.model) return false;
  if (!rule.endpoint.empty() && rule.endpoint != to_string(facts.endpoint)) return false;
  if (!rule.path.empty() && facts.path.find(rule.path) == std::string_view::npos) return false;
  if (!rule.key.empty() && !facts.key.ends_with(rule.key)) return false;
  return rule.match.empty() || facts.last_user_text.find(rule.match) != std::string_view::npos;
}

}  // namespace

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
