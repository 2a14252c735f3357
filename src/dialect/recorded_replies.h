// Test support: the recorded provider replies of shared/fixtures, and how their streams looked on
// the wire. Tests skip where the folder is absent.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/json/document.h"
#include "dialect/conversation.h"

namespace weir::dialect::recorded {

struct Reply {
  std::string name;  // "google/google-text.chunks.txt"
  Dialect dialect = Dialect::passthrough;
  std::string body;                // .json
  std::vector<std::string> lines;  // .chunks.txt: the data of one event each
};

inline std::filesystem::path folder() {
  return std::filesystem::path(WEIR_SOURCE_DIR) / ".." / "shared" / "fixtures" /
         "recorded-provider-replies";
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// By the shape, not by the folder: a folder is an SDK package and holds several APIs.
inline Dialect dialect_of(json::Value root) {
  if (root["candidates"].exists() || root["promptFeedback"].exists()) return Dialect::gemini;
  if (root["object"].equals("text_completion")) return Dialect::openai_completions;
  if (root["choices"].exists()) return Dialect::openai_chat;
  if (root["object"].equals("response")) return Dialect::openai_responses;
  if (root["type"].equals("message") || root["type"].equals("message_start")) {
    return Dialect::anthropic_messages;
  }
  if (root["type"].string_or("").starts_with("response.")) return Dialect::openai_responses;
  if (root["output"]["message"].exists() || root["messageStart"].exists() ||
      root["contentBlockStart"].exists() || root["contentBlockDelta"].exists()) {
    return Dialect::bedrock_converse;
  }
  if (root["object"].equals("list") && root["data"].is_array()) return Dialect::openai_embeddings;
  return Dialect::passthrough;
}

inline Dialect dialect_of_text(const std::string& text) {
  json::Document document;
  if (!document.parse(text, {.unique_keys_levels = 0})) return Dialect::passthrough;
  return dialect_of(document.root());
}

inline std::vector<Reply> load(bool streams) {
  std::vector<Reply> replies;
  if (!std::filesystem::is_directory(folder())) return replies;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder())) {
    const std::string file = entry.path().filename().string();
    if (!file.ends_with(streams ? ".chunks.txt" : ".json")) continue;
    Reply reply;
    reply.name = entry.path().parent_path().filename().string() + "/" + file;
    const std::string text = read_file(entry.path());
    if (!streams) {
      reply.body = text;
      reply.dialect = dialect_of_text(text);
    } else {
      std::istringstream in(text);
      for (std::string line; std::getline(in, line);) {
        if (!line.empty() && line.back() == '\r') line.pop_back();
        if (!line.empty()) reply.lines.push_back(line);
      }
      for (const std::string& line : reply.lines) {
        if (reply.dialect == Dialect::passthrough) reply.dialect = dialect_of_text(line);
      }
    }
    replies.push_back(std::move(reply));
  }
  std::sort(replies.begin(), replies.end(),
            [](const Reply& a, const Reply& b) { return a.name < b.name; });
  return replies;
}

// One event as its provider frames it.
inline std::string frame(Dialect dialect, const std::string& line) {
  if (dialect == Dialect::gemini) return "data: " + line + "\r\n\r\n";
  if (dialect == Dialect::bedrock_converse) {  // recorded as {NAME: PAYLOAD}
    json::Document document;
    if (!document.parse(line, {.unique_keys_levels = 0}) || document.root().size() != 1) return {};
    const auto [name, payload] = *document.root().members().begin();
    return "event: " + name + "\ndata: " + std::string(payload.raw()) + "\n\n";
  }
  std::string name;
  if (dialect == Dialect::anthropic_messages || dialect == Dialect::openai_responses) {
    json::Document document;
    if (document.parse(line, {.unique_keys_levels = 0})) {
      name = document.root()["type"].string_or("");
    }
  }
  return (name.empty() ? "" : "event: " + name + "\n") + "data: " + line + "\n\n";
}

inline std::vector<std::string> wire_events(const Reply& reply) {
  std::vector<std::string> events;
  for (const std::string& line : reply.lines) events.push_back(frame(reply.dialect, line));
  if (reply.dialect == Dialect::openai_chat || reply.dialect == Dialect::openai_completions) {
    events.push_back("data: [DONE]\n\n");
  }
  return events;
}

}  // namespace weir::dialect::recorded
