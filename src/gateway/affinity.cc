#include "gateway/affinity.h"

#include <algorithm>
#include <cstring>

namespace weir::gateway {
namespace {

// Eight bytes at a time; no adversary gains by a collision.
class Hash {
 public:
  void add(std::string_view bytes) {
    while (bytes.size() >= 8) {
      uint64_t word = 0;
      std::memcpy(&word, bytes.data(), 8);
      mix(word);
      bytes.remove_prefix(8);
    }
    uint64_t rest = bytes.size();
    for (const char byte : bytes) rest = rest << 8 | static_cast<unsigned char>(byte);
    mix(rest);
  }
  // Never 0, which is nothing.
  uint64_t value() const { return state_ | 1; }

 private:
  void mix(uint64_t word) {
    const auto product = static_cast<__uint128_t>(state_ ^ word) * 0x9FB21C651E98DF25ULL;
    state_ = static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }
  uint64_t state_ = 0x27D4EB2F165667C5ULL;
};

AffinityKeys session(std::string_view name) {
  Hash hash;
  hash.add(name);
  return {.home = hash.value()};
}

// In the order in which providers put a prompt together, by the names of all dialects.
constexpr std::string_view kInFront[] = {"system", "instructions", "systemInstruction", "tools",
                                         "toolConfig"};
constexpr std::string_view kMessages[] = {"messages", "input", "contents"};

AffinityKeys prefix(json::Value root) {
  Hash home;
  size_t left = kPrefixBytes;
  const auto take = [&](std::string_view raw) {
    const std::string_view part = raw.substr(0, left);
    home.add(part);
    left -= part.size();
  };
  for (const std::string_view name : kInFront) {
    if (left > 0) take(root[name].raw());
  }
  json::Value messages;
  for (const std::string_view name : kMessages) {
    if (!messages.exists()) messages = root[name];
  }
  if (left > 0) take(messages.raw());
  if (left > 0) return {};
  // A conversation keeps its first messages.
  Hash own = home;
  int count = 0;
  if (messages.is_array()) {
    for (const json::Value message : messages.elements()) {
      own.add(message.raw().substr(0, kPrefixBytes));
      if (++count == 2) break;
    }
  }
  return {.home = home.value(), .own = own.value()};
}

}  // namespace

AffinityKeys affinity_of(const Exchange& x, const AffinityRules& rules) {
  if (!rules.header.empty()) {
    const std::string_view name = x.client.head().headers.get(rules.header);
    if (!name.empty()) return session(name);
  }
  if (!x.body_is_json) return {};
  const json::Value root = x.document.root();
  if (rules.prompt_cache_key) {
    if (const json::Value key = root["prompt_cache_key"]; key.is_string())
      return session(key.raw());
  }
  if (rules.user && !x.user.empty()) return session(x.user);
  if (!rules.prefix || x.body.size() < kPrefixBytes) return {};
  return prefix(root);
}

}  // namespace weir::gateway
