#include "gateway/recall.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json/splice.h"
#include "base/json/writer.h"
#include "gateway/estimate.h"
#include "gateway/stages.h"
#include "state/keeper.h"

namespace weir::gateway {
namespace {

using dialect::ApiErrorType;
using provider::Operation;
using state::Record;
using state::RecordKind;

constexpr int64_t kListedDefault = 20;
constexpr int64_t kListedMost = 100;

bool refuse_unknown(Exchange& x, std::string_view id) {
  return refuse(x, ApiErrorType::invalid_request, 400, "previous_response_not_found",
                fmt::format("Previous response with id '{}' not found.", id.substr(0, 200)),
                "previous_response_id");
}

// The items of an `input`, as the elements of an array without its brackets.
std::string items_of(json::Value input) {
  if (input.is_array()) {
    const std::string_view raw = input.raw();
    return input.size() == 0 ? std::string() : std::string(raw.substr(1, raw.size() - 2));
  }
  if (!input.is_string()) return {};
  return fmt::format(R"({{"type":"message","role":"user","content":{}}})", input.raw());
}

std::string joined(std::string first, std::string_view second) {
  if (!first.empty() && !second.empty()) first += ',';
  first += second;
  return first;
}

// The request with the kept conversation in front of its own input.
bool expand(Exchange& x, std::string_view kept) {
  json::Document history;
  if (!history.parse(kept)) return refuse_unreadable(x);
  const json::Value root = x.document.root();
  const json::Value past = history.root();
  const std::string items =
      joined(joined(items_of(past["input"]), items_of(past["response"]["output"])),
             items_of(root["input"]));
  if (items.size() + x.body.size() > kRecalledBytesMax) return refuse_recalled_too_large(x);
  std::vector<json::Edit> edits;
  json::ObjectEditor(root)
      .set("input", "[" + items + "]")
      .remove("previous_response_id")
      .append_to(edits);
  return replace_body(x, json::splice(x.body, std::move(edits)));
}

// "/responses/{id}" or "/responses/{id}/{what}".
struct KeptPath {
  std::string_view id;
  std::string_view what;
};
KeptPath kept_path(std::string_view rest) {
  rest.remove_prefix(std::string_view("/responses/").size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  return {rest.substr(0, slash), rest.substr(std::min(slash + 1, rest.size()))};
}

int64_t listed(std::string_view query) {
  const std::string text = query_value(query, {"limit"});
  int64_t limit = 0;
  for (const char c : text) {
    if (c < '0' || c > '9' || limit > kListedMost) return kListedMost;
    limit = limit * 10 + (c - '0');
  }
  return text.empty() ? kListedDefault : std::clamp<int64_t>(limit, 1, kListedMost);
}

// The kept input as OpenAI lists it: the newest first unless asked otherwise. Items that the client
// sent without an id get one by their place.
std::string input_items(std::string_view query, std::string_view id, json::Value input) {
  std::vector<std::pair<std::string, json::Value>> items;
  for (const json::Value item : input.elements()) {
    items.emplace_back(item["id"].string_or(fmt::format("item_{}_{}", id, items.size())), item);
  }
  if (query_value(query, {"order"}) != "asc") std::reverse(items.begin(), items.end());
  const std::string after = query_value(query, {"after"});
  auto first = items.begin();
  if (!after.empty()) {
    first = std::find_if(items.begin(), items.end(),
                         [&](const auto& item) { return item.first == after; });
    if (first != items.end()) ++first;
  }
  const auto end = first + std::min<ptrdiff_t>(listed(query), items.end() - first);
  std::string body;
  json::Writer w(body);
  w.begin_object().member("object", "list").key("data").begin_array();
  for (auto item = first; item != end; ++item) {
    w.raw(json::splice(item->second.raw(), {}));
    if (!item->second["id"].exists()) {
      // Into the object that was just written.
      body.pop_back();
      body += item->second.size() > 0 ? ",\"id\":" : "\"id\":";
      json::append_quoted(body, item->first);
      body += '}';
    }
  }
  w.end_array();
  w.key("first_id");
  first == end ? w.null() : w.string(first->first);
  w.key("last_id");
  first == end ? w.null() : w.string(std::prev(end)->first);
  w.member("has_more", end != items.end()).end_object();
  return body;
}

net::Task<void> answer_from(Exchange& x, const Record& record, std::string_view what) {
  const std::string_view method = x.client.head().method;
  json::Document kept;
  if (!kept.parse(record.body)) {
    refuse_unreadable(x);
    co_return co_await answer_error(x);
  }
  if (what.empty() && method == "DELETE") {
    x.worker.keeper->remove(record.id);
    co_return co_await answer_json(
        x,
        fmt::format(R"({{"id":{},"object":"response","deleted":true}})", json::quoted(record.id)));
  }
  if (what.empty() && method == "GET") {
    if (query_value(x.route.query, {"stream"}) == "true") {
      refuse(x, ApiErrorType::invalid_request, 400, "unsupported_operation",
             "stream: this response was made by a provider without the Responses API, and its "
             "events are not kept.",
             "stream");
      co_return co_await answer_error(x);
    }
    co_return co_await answer_json(x, std::string(kept.root()["response"].raw()));
  }
  if (what == "input_items" && method == "GET") {
    co_return co_await answer_json(x, input_items(x.route.query, record.id, kept.root()["input"]));
  }
  refuse(x, ApiErrorType::invalid_request, 400, "unsupported_operation",
         what == "cancel" ? "Only responses that run in the background can be cancelled."
                          : "This is not possible for a response that Weir keeps.");
  co_await answer_error(x);
}

}  // namespace

state::Owner owner_of(const Exchange& x) {
  return {x.principal->key_id, x.principal->team};
}

bool refuse_unreadable(Exchange& x) {
  return refuse(x, ApiErrorType::overloaded, 503, "state_unavailable",
                "The stored response could not be read. Try again shortly.");
}

bool refuse_recalled_too_large(Exchange& x) {
  return refuse(x, ApiErrorType::too_large, 413, "request_too_large",
                fmt::format("The request with the conversation before it is over {} bytes.",
                            kRecalledBytesMax));
}

bool replace_body(Exchange& x, std::string body) {
  uint64_t& held = x.worker.counters.body_bytes_held;
  held -= x.body.size();
  x.body = std::move(body);
  held += x.body.size();
  if (!x.document.parse(x.body)) return refuse_unreadable(x);
  x.input_estimate = estimate_input_tokens(x.document.root());
  return true;
}

bool may_continue(const Exchange& x) {
  return x.route.operation == Operation::respond && x.worker.keeper != nullptr &&
         x.pinned == nullptr && x.document.root()["previous_response_id"].is_string();
}

net::Task<bool> recall(Exchange& x) {
  const std::string id = x.document.root()["previous_response_id"].string_or("");
  const auto found = co_await x.worker.keeper->find(x.worker.loop, id, RecordKind::response);
  if (!found) co_return refuse_unreadable(x);
  if (!*found) co_return true;
  if (!(*found)->owner.may_see(owner_of(x))) co_return refuse_unknown(x, id);
  if (!expand(x, (*found)->body)) co_return false;
  x.recalled = id;
  ++x.worker.counters.responses_recalled;
  co_return true;
}

void remember_response(Exchange& x, json::Value response) {
  state::Keeper* const keeper = x.worker.keeper;
  if (keeper == nullptr || !keeper->options().responses) return;
  if (x.route.operation != Operation::respond || !response.is_object()) return;
  const json::Value asked = x.document.root();
  if (asked["store"].as_bool() == false) return;
  const std::string id = response["id"].string_or("");
  if (id.empty()) return;
  Record record{.id = id,
                .kind = RecordKind::response,
                .owner = owner_of(x),
                .created_ms = x.start_ms,
                .expires_ms = x.start_ms + keeper->options().response_retention.count(),
                .body = {}};
  json::Writer(record.body)
      .begin_object()
      .member_raw("response", response.raw())
      .member_raw("input", "[" + items_of(asked["input"]) + "]")
      .end_object();
  keeper->keep(std::move(record));
}

net::Task<bool> answer_kept_response(Exchange& x) {
  if (x.route.endpoint != "/responses/*" || x.worker.keeper == nullptr || x.pinned != nullptr) {
    co_return false;
  }
  const KeptPath path = kept_path(x.route.rest);
  const auto found =
      co_await x.worker.keeper->find(x.worker.loop, std::string(path.id), RecordKind::response);
  if (!found) {
    refuse_unreadable(x);
    co_await answer_error(x);
    co_return true;
  }
  if (!*found) co_return false;
  if (!(*found)->owner.may_see(owner_of(x))) {
    refuse(x, ApiErrorType::not_found, 404, "not_found",
           fmt::format("Response with id '{}' not found.", path.id.substr(0, 200)));
    co_await answer_error(x);
    co_return true;
  }
  co_await answer_from(x, **found, path.what);
  co_return true;
}

}  // namespace weir::gateway
