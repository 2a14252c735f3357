#include "dialect/turns.h"

#include <algorithm>

#include "dialect/losses.h"
#include "dialect/wire.h"

namespace weir::dialect {
namespace {

// What stands in for a user turn that the APIs demand and the client did not have.
constexpr std::string_view kPlaceholder = "Continue.";

// Thinking that came between calls stays where it is: its order is signed too.
void order(Turn& turn) {
  const auto first = [&](const Part* part) {
    return turn.role == Role::user ? part->kind == PartKind::tool_result : is_thinking(*part);
  };
  if (turn.role == Role::assistant && first(turn.parts.front())) return;
  std::vector<const Part*> ordered;
  ordered.reserve(turn.parts.size());
  std::copy_if(turn.parts.begin(), turn.parts.end(), std::back_inserter(ordered), first);
  std::copy_if(turn.parts.begin(), turn.parts.end(), std::back_inserter(ordered),
               [&](const Part* part) { return !first(part); });
  turn.parts = std::move(ordered);
}

}  // namespace

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

bool is_thinking(const Part& part) {
  return part.kind == PartKind::thinking || part.kind == PartKind::redacted_thinking;
}

void Turns::gather(const Conversation& conversation, const CanSend& can_send, bool join_blank,
                   Dropped& dropped) {
  for (const Message& message : conversation.messages) {
    if (!message.name.empty()) lose(dropped, Feature::participant_name);
    for (const Part& part : message.parts) {
      if (join_blank && joins_text_in_front(part, message.role)) continue;
      if (!can_send(part, message.role)) continue;
      if (turns_.empty() || turns_.back().role != message.role) {
        turns_.push_back({message.role, {}});
      }
      turns_.back().parts.push_back(&part);
    }
  }
  for (Turn& turn : turns_) order(turn);
  // Instructions alone are a request in other dialects.
  if (turns_.empty() && !joined_text(conversation.system, "").empty()) {
    system_is_user_ = true;
    Turn& turn = turns_.emplace_back();
    for (const Part& part : conversation.system) {
      if (can_send(part, Role::user)) turn.parts.push_back(&part);
    }
    if (turn.parts.empty()) turns_.clear();
  }
  if (!turns_.empty() && turns_.front().role == Role::assistant) {
    placeholder_.text = kPlaceholder;
    turns_.insert(turns_.begin(), Turn{Role::user, {&placeholder_}});
  }
}

bool Turns::joins_text_in_front(const Part& part, Role role) {
  if (part.kind != PartKind::text || part.text.empty() || !is_blank(part.text)) return false;
  if (role != Role::assistant || turns_.empty() || turns_.back().role != role) return false;
  const Part*& front = turns_.back().parts.back();
  if (front->kind != PartKind::text) return false;
  Part& whole = joined_.emplace_back(*front);
  whole.text += part.text;
  if (part.cache) whole.cache = part.cache;
  front = &whole;
  return true;
}

bool Turns::last_calls_lack_thinking() const {
  if (turns_.back().role != Role::user || turns_.size() < 2) return false;
  if (turns_.back().parts.front()->kind != PartKind::tool_result) return false;
  return !is_thinking(*turns_[turns_.size() - 2].parts.front());
}

size_t Turns::breakpoints(const Conversation& conversation) const {
  size_t count = 0;
  if (!system_is_user_) {
    for (const Part& part : conversation.system) count += part.cache ? 1 : 0;
  }
  for (const Turn& turn : turns_) {
    for (const Part* part : turn.parts) count += part->cache && !is_thinking(*part) ? 1 : 0;
  }
  return count;
}

}  // namespace weir::dialect
