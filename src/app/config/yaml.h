// YAML text as a tree that remembers where everything stood. Built from yaml-cpp's events and not
// from its nodes, because those lose duplicate keys, quotes and what an alias costs. Here a
// duplicate key is a problem, text stays text ("no" and 1.10 are not converted), an alias is
// charged for everything it copies, and merge keys (<<) are resolved. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/config/problems.h"

namespace weir::app {

struct YamlEntry;

struct YamlNode {
  enum class Kind : uint8_t { null, scalar, list, map };
  Kind kind = Kind::null;
  int line = 0;  // 1-based
  int column = 0;
  bool quoted = false;             // a scalar in quotes or as a block
  std::string text;                // scalar: as written, escapes of quotes resolved
  std::vector<YamlNode> items;     // list
  std::vector<YamlEntry> entries;  // map, in the order of the file

  // The entry of that name, or null.
  const YamlNode* find(std::string_view key) const;
  // "a list", "a map", "nothing", "the text \"abc\"": for messages. Never for secrets.
  std::string describe() const;
};

struct YamlEntry {
  std::string key;
  int line = 0;
  int column = 0;
  YamlNode value;
};

struct YamlLimits {
  size_t bytes_max = 4ULL << 20;
  uint32_t depth_max = 32;
  uint32_t nodes_max = 200'000;         // aliases expanded
  size_t text_bytes_max = 16ULL << 20;  // all scalars and keys, aliases expanded
};

// Reads one document. Whatever is wrong is added to `problems`; after a syntax error or a limit the
// answer is an empty tree, after duplicate keys it is whole (the first one counts).
YamlNode read_yaml(std::string_view text, Problems& problems, const YamlLimits& limits = {});

}  // namespace weir::app
