// What the keeper keeps beyond pins: a text under an id, and whose it is. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::state {

enum class RecordKind : uint8_t {
  response = 1,  // a Responses answer that Weir made from another API, with its conversation
  batch = 2,     // a batch whose cost is not settled yet
};

// Whose a record is. Only the same key, or a key of the same team, may see it.
struct Owner {
  std::string key_id;
  std::string team;
  bool may_see(const Owner& who) const {
    return key_id == who.key_id || (!team.empty() && team == who.team);
  }
};

struct Record {
  std::string id;
  RecordKind kind = RecordKind::response;
  Owner owner;
  int64_t created_ms = 0;
  int64_t expires_ms = 0;
  std::string body;

  size_t bytes() const {
    return sizeof(Record) + id.size() + owner.key_id.size() + owner.team.size() + body.size();
  }
};

}  // namespace weir::state
