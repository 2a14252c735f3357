// Turns: the messages of a conversation as Anthropic's Messages and Amazon's Converse want them.
// Roles alternate, a user begins, tool results stand before all else in a user's turn and thinking
// opens an assistant's. Views into the conversation, which must outlive them. One request.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string_view>
#include <vector>

#include "dialect/conversation.h"

namespace weir::dialect {

// How both APIs are asked for an object where they have no word for it.
inline constexpr std::string_view kJsonInstruction =
    "Answer with one JSON object and nothing else: no text around it and no code fence.";

bool is_blank(std::string_view text);
bool is_thinking(const Part& part);

struct Turn {
  Role role = Role::user;
  std::vector<const Part*> parts;
};

class Turns {
 public:
  // Whether the API takes the part in a turn of that role; notes what it does not.
  using CanSend = std::function<bool(const Part&, Role)>;

  // Empty if nothing can be sent. `join_blank`: text of white space becomes the end of the text in
  // front of it, for an API that gives such parts and takes none.
  void gather(const Conversation& conversation, const CanSend& can_send, bool join_blank,
              Dropped& dropped);

  const std::vector<Turn>& all() const { return turns_; }
  // The conversation is instructions alone, and the user says them: `system` stays unwritten.
  bool system_is_user() const { return system_is_user_; }
  // Whether the turn whose calls are being answered comes without the thinking that led to it.
  bool last_calls_lack_thinking() const;
  // Cache breakpoints of system and turns.
  size_t breakpoints(const Conversation& conversation) const;

 private:
  bool joins_text_in_front(const Part& part, Role role);

  std::vector<Turn> turns_;
  std::deque<Part> joined_;
  Part placeholder_;
  bool system_is_user_ = false;
};

}  // namespace weir::dialect
