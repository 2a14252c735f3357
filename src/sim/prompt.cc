#include "sim/prompt.h"

#include <algorithm>
#include <iterator>

#include "sim/words.h"

namespace weir::sim {
namespace {

using dialect::Conversation;
using dialect::Message;
using dialect::Part;
using dialect::PartKind;

int64_t part_tokens(const Part& part) {
  int64_t tokens = count_tokens(part.text) + count_tokens(part.json);
  if (part.kind == PartKind::tool_call) tokens += count_tokens(part.name);
  const bool media = part.kind == PartKind::image || part.kind == PartKind::audio ||
                     part.kind == PartKind::document;
  if (media && part.text.empty()) tokens += kMediaTokens;
  for (const Part& child : part.children) tokens += part_tokens(child);
  return tokens;
}

uint64_t part_hash(const Part& part, uint64_t hash) {
  for (const std::string* text : {&part.text, &part.json, &part.name, &part.data, &part.url}) {
    hash = hash_text(*text, hash);
    hash = hash_text("\x1F", hash);
  }
  for (const Part& child : part.children) hash = part_hash(child, hash);
  return hash;
}

class Pieces {
 public:
  explicit Pieces(std::string_view model) : hash_(hash_text(model)) {}

  void add(int64_t tokens, uint64_t hash, const std::optional<dialect::CacheControl>& cache) {
    hash_ = hash;
    pieces.push_back({tokens, hash_, {}});
    if (cache) pieces.back().cache_ttl = cache->ttl.empty() ? "5m" : cache->ttl;
  }
  uint64_t hash() const { return hash_; }

  std::vector<PromptPiece> pieces;

 private:
  uint64_t hash_;
};

void add_message(Pieces& out, const Message& message) {
  int64_t overhead = kMessageTokens;
  for (const Part& part : message.parts) {
    const uint64_t begin = hash_text(message.role == dialect::Role::user ? "u" : "a", out.hash());
    out.add(part_tokens(part) + overhead, part_hash(part, begin), part.cache);
    overhead = 0;
  }
}

}  // namespace

std::vector<PromptPiece> prompt_pieces(const Conversation& conversation) {
  Pieces out(conversation.model);
  for (const dialect::Tool& tool : conversation.tools) {
    const std::string text = tool.name + " " + tool.description + " " + tool.schema;
    out.add(count_tokens(text), hash_text(text, out.hash()), tool.cache);
  }
  for (const Part& part : conversation.system) {
    out.add(part_tokens(part), part_hash(part, out.hash()), part.cache);
  }
  for (const Message& message : conversation.messages) add_message(out, message);
  return std::move(out.pieces);
}

int64_t prompt_tokens(const Conversation& conversation) {
  int64_t tokens = 0;
  for (const PromptPiece& piece : prompt_pieces(conversation)) tokens += piece.tokens;
  return tokens;
}

std::string last_user_text(const Conversation& conversation) {
  for (auto message = conversation.messages.rbegin(); message != conversation.messages.rend();
       ++message) {
    if (message->role != dialect::Role::user) continue;
    std::string text;
    for (const Part& part : message->parts) {
      if (part.kind != PartKind::text) continue;
      if (!text.empty()) text.push_back('\n');
      text += part.text;
    }
    if (!text.empty()) return text;
  }
  return {};
}

std::string last_tool_result(const Conversation& conversation) {
  if (conversation.messages.empty()) return {};
  std::string text;
  for (const Part& part : conversation.messages.back().parts) {
    if (part.kind != PartKind::tool_result) continue;
    if (!text.empty()) text += "; ";
    if (part.children.empty()) text += part.text;
    for (const Part& child : part.children) text += child.text;
    if (text.empty()) text = "nothing";
  }
  return text;
}

namespace {

std::string tool_of_call(const Conversation& conversation, std::string_view id) {
  for (auto message = conversation.messages.rbegin(); message != conversation.messages.rend();
       ++message) {
    for (const Part& part : message->parts) {
      if (part.kind == PartKind::tool_call && part.id == id) return part.name;
    }
  }
  return {};
}

}  // namespace

std::vector<ToolResult> latest_results(const Conversation& conversation) {
  auto message = conversation.messages.end();
  while (message != conversation.messages.begin() &&
         std::prev(message)->role == dialect::Role::user) {
    --message;
  }
  std::vector<ToolResult> results;
  for (; message != conversation.messages.end(); ++message) {
    for (const Part& part : message->parts) {
      if (part.kind != PartKind::tool_result) continue;
      ToolResult& result = results.emplace_back(part.name, part.text);
      if (result.name.empty()) result.name = tool_of_call(conversation, part.id);
      for (const Part& child : part.children) result.text += child.text;
    }
  }
  return results;
}

bool PromptCache::known(uint64_t hash, Nanoseconds now) const {
  const auto found = until_.find(hash);
  return found != until_.end() && found->second > now;
}

void PromptCache::remember(uint64_t hash, Nanoseconds until) {
  const auto [entry, fresh] = until_.insert_or_assign(hash, until);
  if (!fresh) return;
  order_.push_back(hash);
  if (order_.size() > entries_max_) {
    until_.erase(order_.front());
    order_.pop_front();
  }
}

void PromptCache::use_breakpoints(const std::vector<PromptPiece>& pieces, dialect::Usage& usage,
                                  Nanoseconds now) {
  int64_t position = 0;
  int64_t read = 0;
  for (const PromptPiece& piece : pieces) {
    position += piece.tokens;
    if (!piece.cache_ttl.empty() && known(piece.hash, now)) read = position;
  }
  usage.cache_read = read;
  position = 0;
  int64_t written_to = read;
  for (const PromptPiece& piece : pieces) {
    position += piece.tokens;
    if (piece.cache_ttl.empty()) continue;
    const bool hour = piece.cache_ttl == "1h";
    remember(piece.hash, now + (hour ? Nanoseconds(std::chrono::hours(1))
                                     : Nanoseconds(std::chrono::minutes(5))));
    if (position <= written_to) continue;
    (hour ? usage.cache_write_1h : usage.cache_write_5m) += position - written_to;
    written_to = position;
  }
  usage.input -= written_to;
}

void PromptCache::use_automatic(const std::vector<PromptPiece>& pieces, dialect::Usage& usage,
                                Nanoseconds now) {
  int64_t position = 0;
  int64_t read = 0;
  for (size_t i = 0; i + 1 < pieces.size(); ++i) {
    position += pieces[i].tokens;
    if (position >= kAutomaticTokensMin && known(pieces[i].hash, now)) read = position;
    if (position >= kAutomaticTokensMin) {
      remember(pieces[i].hash, now + Nanoseconds(std::chrono::minutes(5)));
    }
  }
  usage.cache_read = read / kStepTokens * kStepTokens;
  usage.input -= usage.cache_read;
}

dialect::Usage PromptCache::input_usage(const Conversation& conversation, dialect::Dialect dialect,
                                        Nanoseconds now) {
  const std::vector<PromptPiece> pieces = prompt_pieces(conversation);
  dialect::Usage usage;
  usage.reported = true;
  for (const PromptPiece& piece : pieces) usage.input += piece.tokens;
  if (dialect == dialect::Dialect::anthropic_messages ||
      dialect == dialect::Dialect::bedrock_converse) {
    use_breakpoints(pieces, usage, now);
  } else {
    use_automatic(pieces, usage, now);
  }
  return usage;
}

}  // namespace weir::sim
