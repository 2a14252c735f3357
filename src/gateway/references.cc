#include "gateway/references.h"

#include <map>

#include "base/json/splice.h"
#include "gateway/recall.h"
#include "state/keeper.h"

namespace weir::gateway {
namespace {

struct Place {
  std::string id;
  size_t offset;
  size_t length;
};
using Places = std::map<std::string, std::vector<Place>>;

// The answer that an item of Weir's making stands in: "msg_<answer>_<index>".
std::string response_of(std::string_view id) {
  const size_t begin = id.find('_');
  const size_t end = id.rfind('_');
  if (begin == std::string_view::npos || end <= begin + 1) return {};
  return "resp_" + std::string(id.substr(begin + 1, end - begin - 1));
}

Places places_by_response(json::Value input) {
  Places places;
  for (const json::Value item : input.elements()) {
    if (!item["type"].equals("item_reference")) continue;
    std::string id = item["id"].string_or("");
    const std::string response = response_of(id);
    if (response.empty()) continue;
    if (!places.contains(response) && places.size() == kReferredResponsesMax) continue;
    places[response].push_back({std::move(id), item.offset(), item.raw().size()});
  }
  return places;
}

// Puts the items of a kept answer in their places. False: they do not fit.
bool fill(json::Value output, const std::vector<Place>& places, size_t& size,
          std::vector<json::Edit>& edits) {
  for (const Place& place : places) {
    for (const json::Value item : output.elements()) {
      if (!item["id"].equals(place.id)) continue;
      size += item.raw().size();
      if (size > kRecalledBytesMax) return false;
      edits.push_back({place.offset, place.length, std::string(item.raw())});
      break;
    }
  }
  return true;
}

}  // namespace

bool may_refer(const Exchange& x) {
  return x.route.operation == provider::Operation::respond && x.worker.keeper != nullptr &&
         x.body.find("item_reference") != std::string::npos;
}

net::Task<bool> fill_references(Exchange& x) {
  const Places places = places_by_response(x.document.root()["input"]);
  std::vector<json::Edit> edits;
  size_t size = x.body.size();
  for (const auto& [response, wanted] : places) {
    const auto found =
        co_await x.worker.keeper->find(x.worker.loop, response, state::RecordKind::response);
    if (!found) co_return refuse_unreadable(x);
    if (!*found || !(*found)->owner.may_see(owner_of(x))) continue;
    json::Document kept;
    if (!kept.parse((*found)->body)) co_return refuse_unreadable(x);
    if (!fill(kept.root()["response"]["output"], wanted, size, edits)) {
      co_return refuse_recalled_too_large(x);
    }
  }
  if (edits.empty()) co_return true;
  ++x.worker.counters.responses_recalled;
  co_return replace_body(x, json::splice(x.body, std::move(edits)));
}

}  // namespace weir::gateway
