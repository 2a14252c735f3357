// Any bytes, cut anywhere: the messages are the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "gateway/websocket.h"

namespace {

using weir::gateway::MessageReader;

bool some(std::string_view beginning) {
  return beginning.empty() || beginning.size() % 2 == 0;
}

std::vector<std::string> read(std::string_view bytes, size_t piece) {
  std::vector<std::string> messages;
  MessageReader reader(some, [&](std::string_view text) { messages.emplace_back(text); });
  for (size_t at = 0; at < bytes.size(); at += piece) reader.feed(bytes.substr(at, piece));
  if (reader.broken()) messages.emplace_back("broken");
  return messages;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(data, data + size);
  const std::vector<std::string> whole = read(bytes, size + 1);
  for (const size_t piece : {size_t{1}, size_t{2}, size_t{5}, size_t{17}}) {
    if (read(bytes, piece) != whole) std::abort();
  }
  return 0;
}
