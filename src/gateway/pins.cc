#include "gateway/pins.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "gateway/stages.h"
#include "state/keeper.h"

namespace weir::gateway {
namespace {

using dialect::Dialect;
using provider::Operation;

constexpr size_t kIdBytesMax = 256;

bool one_of(json::Value key, std::span<const std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return key.equals(name); });
}

// Text that can be an id: short, of the characters that ids and Gemini's resource names are made
// of.
bool is_id(std::string_view text) {
  if (text.size() < 3 || text.size() > kIdBytesMax) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.' || c == '/';
  });
}

void add(std::vector<std::string>& ids, std::string_view id) {
  if (ids.size() >= kPinsPerMessage || !is_id(id)) return;
  if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.emplace_back(id);
}

void add(std::vector<std::string>& ids, json::Value value) {
  if (value.is_string()) {
    add(ids, std::string_view(value.string_or("")));
  } else if (value.is_array()) {
    for (const json::Value element : value.elements()) {
      if (element.is_string()) add(ids, std::string_view(element.string_or("")));
    }
  } else if (value.is_object()) {
    // Responses' conversation and container, as objects.
    add(ids, value["id"]);
    add(ids, value["file_ids"]);
  }
}

// Gemini names a file by its address: ".../v1beta/files/abc".
void add_file_uri(std::vector<std::string>& ids, const std::string& uri) {
  const size_t at = uri.rfind("files/");
  if (at != std::string::npos) add(ids, std::string_view(uri).substr(at));
}

// Members that hold ids of files, containers, stores and caches, wherever they stand.
void collect(json::Value value, std::vector<std::string>& ids) {
  static constexpr std::array<std::string_view, 10> kNames = {
      "file_id",      "file_ids",  "input_file_id", "vector_store_id", "vector_store_ids",
      "container_id", "container", "cachedContent", "cached_content",  "file_search_store_names"};
  static constexpr std::array<std::string_view, 2> kUris = {"fileUri", "file_uri"};
  if (ids.size() >= kPinsPerMessage) return;
  if (value.is_array()) {
    for (const json::Value element : value.elements()) collect(element, ids);
    return;
  }
  const json::Value::Members members = value.members();
  for (auto at = members.begin(); at != members.end(); ++at) {
    const json::Value member = at.value();
    if (one_of(at.key(), kNames)) add(ids, member);
    if (member.is_string()) {
      if (one_of(at.key(), kUris)) add_file_uri(ids, member.string_or(""));
    } else {
      collect(member, ids);
    }
  }
}

void collect_responses(json::Value root, std::vector<std::string>& ids) {
  add(ids, root["previous_response_id"]);
  add(ids, root["conversation"]);
  // The newest items first: where a conversation moved on, its last account knows most of it.
  std::vector<json::Value> items;
  for (const json::Value item : root["input"].elements()) items.push_back(item);
  for (auto item = items.rbegin(); item != items.rend(); ++item) {
    const json::Value type = (*item)["type"];
    if (type.equals("item_reference") || type.equals("reasoning") || type.equals("compaction")) {
      if (const json::Value opaque = (*item)["encrypted_content"]; opaque.is_string()) {
        add(ids, std::string_view(state::digest_id(opaque.raw())));
      }
      add(ids, (*item)["id"]);
    }
  }
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> needles) {
  return std::any_of(needles.begin(), needles.end(),
                     [&](std::string_view needle) { return text.find(needle) != text.npos; });
}

const provider::Account* account_of(const Snapshot& snapshot, uint32_t hash) {
  for (const auto& account : snapshot.accounts) {
    if (state::account_hash(account->name) == hash) return account.get();
  }
  return nullptr;
}

}  // namespace

bool keeps_state(const Exchange& x) {
  if (x.route.operation == Operation::respond) return true;
  if (x.route.operation != Operation::passthrough) return false;
  static constexpr std::string_view kEndpoints[] = {
      "/responses/",    "/files",   "/batches",          "/conversations", "/containers",
      "/vector_stores", "/uploads", "/messages/batches", "/cachedContents"};
  return std::any_of(std::begin(kEndpoints), std::end(kEndpoints),
                     [&](std::string_view name) { return x.route.endpoint.starts_with(name); }) ||
         x.route.endpoint == ":batchGenerateContent";
}

std::vector<std::string> ids_in_path(std::string_view path) {
  std::vector<std::string> ids;
  std::string before;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const size_t end = std::min(path.find('/'), path.size());
    std::string segment = percent_decode(path.substr(0, end)).value_or("");
    // Gemini's methods hang on a name by a colon.
    segment.resize(std::min(segment.find(':'), segment.size()));
    // Gemini's names have two segments: "files/abc".
    if (!before.empty()) add(ids, std::string_view(before + "/" + segment));
    if (!before.empty()) add(ids, std::string_view(segment));
    before = std::move(segment);
    path.remove_prefix(end);
  }
  return ids;
}

std::vector<std::string> ids_in_request(Dialect dialect, json::Value root) {
  std::vector<std::string> ids;
  if (dialect == Dialect::openai_responses) collect_responses(root, ids);
  if (contains_any(root.raw(), {"file_id", "container", "vector_store", "fileUri", "file_uri",
                                "cachedContent", "cached_content", "file_search_store"})) {
    collect(root, ids);
  }
  return ids;
}

namespace {

// Ids that are the client's own or say nothing about the account's store.
constexpr std::array<std::string_view, 8> kNotTheAccounts = {
    "call_id", "tool_call_id", "custom_id",       "request_id",
    "user_id", "project_id",   "organization_id", "approval_request_id"};

void collect_answer(json::Value value, std::vector<std::string>& ids) {
  if (ids.size() >= kPinsPerMessage) return;
  if (value.is_array()) {
    for (const json::Value element : value.elements()) collect_answer(element, ids);
    return;
  }
  const json::Value::Members members = value.members();
  for (auto at = members.begin(); at != members.end(); ++at) {
    const json::Value member = at.value();
    const std::string key = at.key().string_or("");
    if (!member.is_string()) {
      const bool several = key.ends_with("_ids") && member.is_array();
      if (several) {
        add(ids, member);
      } else {
        collect_answer(member, ids);
      }
    } else if (key == "encrypted_content") {
      if (ids.size() < kPinsPerMessage) ids.push_back(state::digest_id(member.raw()));
    } else if (key == "id" || key == "container" || key == "conversation" ||
               (key.ends_with("_id") && std::find(kNotTheAccounts.begin(), kNotTheAccounts.end(),
                                                  key) == kNotTheAccounts.end())) {
      add(ids, member);
    } else if (key == "name" || key == "responsesFile" || key == "fileName") {
      const std::string name = member.string_or("");
      if (name.starts_with("files/") || name.starts_with("cachedContents/") ||
          name.starts_with("batches/")) {
        add(ids, std::string_view(name));
      }
    }
  }
}

void collect_made(json::Value value, std::vector<std::string>& ids) {
  if (ids.size() >= kPinsPerMessage) return;
  if (value.is_array()) {
    for (const json::Value element : value.elements()) collect_made(element, ids);
    return;
  }
  const json::Value::Members members = value.members();
  for (auto at = members.begin(); at != members.end(); ++at) {
    const json::Value member = at.value();
    if (at.key().equals("container") && member.is_object()) {
      add(ids, member["id"]);
    } else if (at.key().equals("file_id")) {
      add(ids, member);
    } else if (!member.is_string()) {
      collect_made(member, ids);
    }
  }
}

}  // namespace

std::vector<std::string> ids_in_answer(json::Value root) {
  std::vector<std::string> ids;
  collect_answer(root, ids);
  return ids;
}

bool take_pin(Exchange& x) {
  if (x.worker.keeper == nullptr || !x.worker.keeper->pins().used()) return true;
  const state::PinTable& pins = x.worker.keeper->pins();
  const auto look = [&](const std::vector<std::string>& ids) {
    for (const std::string& id : ids) {
      const auto hash = pins.find(id, x.start_ms);
      if (!hash) continue;
      x.pinned_by = id;
      x.pinned = account_of(*x.snapshot, *hash);
      return true;
    }
    return false;
  };
  const bool found =
      (x.route.operation == Operation::passthrough && look(ids_in_path(x.route.rest))) ||
      (x.body_is_json && look(ids_in_request(x.route.dialect, x.document.root())));
  if (!found) return true;
  if (x.pinned == nullptr) {
    ++x.worker.counters.pins_lost;
    return refuse(x, dialect::ApiErrorType::not_found, 404, "pinned_account_gone",
                  fmt::format("\"{}\" was made by an account that is not configured any more. No "
                              "other account knows it.",
                              x.pinned_by.starts_with("enc_") ? "encrypted_content" : x.pinned_by));
  }
  ++x.worker.counters.pins_followed;
  return true;
}

void learn_pins(Exchange& x, json::Value answer) {
  if (x.worker.keeper == nullptr || x.deployment == nullptr || !keeps_state(x)) return;
  const int64_t now_ms = x.worker.loop.clock().wall_ms();
  for (std::string& id : ids_in_answer(answer)) {
    x.worker.keeper->pin(std::move(id), x.deployment->account->name, now_ms);
  }
}

bool may_make_container(const Exchange& x) {
  return x.worker.keeper != nullptr && x.route.operation == Operation::generate &&
         x.route.dialect == Dialect::anthropic_messages &&
         contains_any(x.body, {"code_execution", "\"container\""});
}

void learn_container(Exchange& x, json::Value value) {
  if (x.deployment == nullptr || !contains_any(value.raw(), {"\"container\"", "\"file_id\""}))
    return;
  const int64_t now_ms = x.worker.loop.clock().wall_ms();
  std::vector<std::string> ids;
  collect_made(value, ids);
  for (std::string& id : ids) {
    x.worker.keeper->pin(std::move(id), x.deployment->account->name, now_ms);
  }
}

void forget_pins(Exchange& x) {
  if (x.worker.keeper == nullptr || x.client.head().method != "DELETE" || !keeps_state(x)) return;
  std::vector<std::string> ids = ids_in_path(x.route.rest);
  // Only the last one is deleted: a file of a vector store leaves the store.
  if (!ids.empty()) x.worker.keeper->unpin(std::move(ids.back()));
}

}  // namespace weir::gateway
