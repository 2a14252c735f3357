#include "fleet/xds/stream_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "base/log.h"
#include "net/timer.h"

namespace weir::fleet::xds {

namespace {

constexpr size_t kUnknownTypesMax = 16;  // remembered, to be logged once each
constexpr std::string_view kWildcard = "*";

std::string version_text(uint64_t version) {
  return fmt::format("{:016x}", version);
}

// A version that is not one of ours is none.
uint64_t version_of(std::string_view text) {
  uint64_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version, 16);
  return error == std::errc() && end == text.data() + text.size() ? version : 0;
}

bool may_be_wildcard(Kind kind) {
  return kind == Kind::cluster || kind == Kind::listener;
}

}  // namespace

// A response as it is being put together.
struct StreamState::Draft {
  struct Told {
    std::string name;
    std::string version;
    std::shared_ptr<const std::string> value;
  };
  std::vector<Told> items;
  std::vector<std::string> removed;
  size_t bytes = 0;

  void add(std::string_view name, const Item& item) {
    items.push_back({std::string(name), version_text(item.version), item.value});
    bytes += name.size() + item.value->size();
  }
};

StreamState::StreamState(Catalog& catalog, Counters& counters, Mode mode,
                         std::string_view control_plane, std::optional<Kind> only)
    : catalog_(catalog),
      counters_(counters),
      mode_(mode),
      control_plane_(control_plane),
      only_(only) {}

Result<void> StreamState::take(std::string_view message) {
  ++counters_.requests;
  auto read = mode_ == Mode::delta ? read_delta_request(message) : read_request(message);
  if (!read) {
    ++counters_.requests_bad;
    return fail(std::move(read.error()));
  }
  Request& request = *read;
  if (request.node && !std::exchange(has_node_, true)) {
    node_ = std::move(*request.node);
    audience_ = {form_of(node_.user_agent), node_.id};
  }
  std::optional<Kind> kind = kind_of(request.type_url);
  if (only_ && request.type_url.empty()) kind = only_;
  if (!kind || (only_ && kind != only_)) {
    ++counters_.types_unknown;
    if (unknown_types_.size() < kUnknownTypesMax &&
        unknown_types_.insert(request.type_url).second) {
      log::info("xds_type_unknown", {{"node", node_.id}, {"type", request.type_url}});
    }
    return {};
  }
  Watch& watch = watches_[static_cast<size_t>(*kind)];
  take_answer(watch, *kind, request);
  const auto taken =
      mode_ == Mode::delta ? take_delta(watch, *kind, request) : take_names(watch, *kind, request);
  if (!taken) ++counters_.requests_bad;
  watch.asked = true;
  return taken;
}

void StreamState::take_answer(Watch& watch, Kind kind, const Request& request) {
  if (request.nonce.empty()) return;
  if (request.nonce != watch.nonce) {
    ++counters_.requests_stale;
    return;
  }
  if (!std::exchange(watch.waiting, false)) return;
  if (!request.error) {
    ++counters_.acks;
    watch.refusing = false;
    return;
  }
  ++counters_.nacks;
  if (!std::exchange(watch.refusing, true)) {
    log::warn("xds_refused", {{"node", node_.id},
                              {"client", node_.user_agent},
                              {"type", type_url(kind)},
                              {"nonce", request.nonce},
                              {"error", *request.error}});
  }
}

// The names of a request in state of the world are all that the client wants from now on.
Result<void> StreamState::take_names(Watch& watch, Kind kind, Request& request) {
  // What answers an older response was written before the client saw the last one.
  if (!request.nonce.empty() && request.nonce != watch.nonce) return {};
  const bool star = std::ranges::find(request.names, kWildcard) != request.names.end();
  const bool legacy = request.names.empty() && may_be_wildcard(kind) &&
                      (!watch.asked || (watch.wildcard && watch.names.empty()));
  const bool was_wildcard = std::exchange(watch.wildcard, star || legacy);
  std::set<std::string, std::less<>> names;
  for (std::string& name : request.names) {
    if (name == kWildcard) continue;
    if (!watch.names.contains(name)) {
      watch.todo[name] = true;
      watch.answer = true;
    }
    names.insert(std::move(name));
  }
  watch.names = std::move(names);
  std::erase_if(watch.sent, [&](const auto& one) { return !watch.covers(one.first); });
  std::erase_if(watch.todo, [&](const auto& one) { return !watch.covers(one.first); });
  if (watch.wildcard && !was_wildcard) {
    watch.answer = watch.empty_too = true;
    look_at_all(watch, kind);
  }
  return {};
}

Result<void> StreamState::take_delta(Watch& watch, Kind kind, Request& request) {
  const bool first = !watch.asked;
  if (first) {
    for (const auto& [name, version] : request.known) {
      watch.sent[name] = version_of(version);
      watch.todo.try_emplace(name, false);
      watch.answer = true;
    }
  }
  const bool legacy = first && request.subscribe.empty() && may_be_wildcard(kind);
  const bool was_wildcard = watch.wildcard;
  if (legacy) watch.wildcard = true;
  for (std::string& name : request.subscribe) {
    if (name == kWildcard) {
      watch.wildcard = true;
      continue;
    }
    if (watch.names.size() >= kNamesMax) {
      return fail(ErrorCode::limit_exceeded, "the stream asks for more than 16384 resources");
    }
    // What the client says it has is not sent again, unless it has changed.
    const bool has = first && watch.sent.contains(name);
    watch.todo[name] = !has;
    watch.answer = true;
    watch.names.insert(std::move(name));
  }
  for (const std::string& name : request.unsubscribe) {
    if (name == kWildcard) {
      watch.wildcard = false;
      continue;
    }
    watch.names.erase(name);
    if (watch.wildcard) {
      // Still wanted as one of all: the client is told so.
      watch.todo[name] = true;
      watch.answer = true;
    }
  }
  std::erase_if(watch.todo, [&](const auto& one) {
    return !watch.covers(one.first) && !(first && watch.sent.contains(one.first));
  });
  if (!first) {
    std::erase_if(watch.sent, [&](const auto& one) { return !watch.covers(one.first); });
  }
  if (watch.wildcard && !was_wildcard) {
    watch.answer = true;
    watch.empty_too = watch.sent.empty();
    look_at_all(watch, kind);
  }
  return {};
}

// Finds what came and went since the client was told last.
void StreamState::look_at_all(Watch& watch, Kind kind) {
  const auto& services = catalog_.services();
  const auto exists = [&](const std::string& name) {
    return std::ranges::binary_search(services, name) &&
           (kind != Kind::listener || audience_.form == Form::grpc);
  };
  for (const auto& [name, version] : watch.sent) {
    if (!exists(name)) watch.todo.try_emplace(name, false);
  }
  const auto look = [&](const std::string& name) {
    if (!watch.sent.contains(name) && exists(name)) watch.todo.try_emplace(name, false);
  };
  std::ranges::for_each(watch.names, look);
  if (watch.wildcard) std::ranges::for_each(services, look);
}

void StreamState::changed(const Catalog::Change& change) {
  if (change.service.empty()) {
    for (const Kind kind : kAllKinds) {
      Watch& watch = watches_[static_cast<size_t>(kind)];
      if (watch.asked) look_at_all(watch, kind);
    }
    return;
  }
  Watch& watch = watches_[static_cast<size_t>(Kind::load_assignment)];
  if (!watch.asked || !watch.covers(change.service)) return;
  watch.todo.try_emplace(std::string(change.service), false);
  watch.urgent = watch.urgent || change.urgent;
}

bool StreamState::told_whole(Kind kind) const {
  return mode_ == Mode::state_of_the_world && may_be_wildcard(kind);
}

void StreamState::collect(Watch& watch, Kind kind, Draft& draft) {
  if (told_whole(kind)) {
    std::map<std::string, uint64_t, std::less<>> now;
    const auto add = [&](const std::string& name) {
      const auto item = catalog_.find(kind, name, audience_);
      if (item && now.emplace(name, item->version).second) draft.add(name, *item);
    };
    std::ranges::for_each(watch.names, add);
    if (watch.wildcard) std::ranges::for_each(catalog_.services(), add);
    watch.todo.clear();
    watch.empty_too = true;
    if (now == watch.sent && !watch.answer) {
      draft = {};
      watch.empty_too = false;
    }
    for (const auto& [name, version] : watch.sent) {
      if (!now.contains(name)) ++counters_.removals;
    }
    watch.sent = std::move(now);
    return;
  }
  while (!watch.todo.empty() && draft.bytes < kResponseBytes) {
    const auto [name, force] = *watch.todo.begin();
    watch.todo.erase(watch.todo.begin());
    const auto item = catalog_.find(kind, name, audience_);
    const auto known = watch.sent.find(name);
    if (item && watch.covers(name)) {
      if (!force && known != watch.sent.end() && known->second == item->version) continue;
      watch.sent[name] = item->version;
      draft.add(name, *item);
    } else if (known != watch.sent.end() || force) {
      // In state of the world there are no words for it: the cluster's removal tells.
      if (known != watch.sent.end()) watch.sent.erase(known);
      if (mode_ == Mode::delta) draft.removed.push_back(name);
    }
  }
}

std::string StreamState::write(Watch& watch, Kind kind, const Draft& draft) {
  std::vector<Resource> resources;
  resources.reserve(draft.items.size());
  for (const Draft::Told& told : draft.items) {
    resources.push_back({told.name, told.version, *told.value});
  }
  watch.nonce = std::to_string(++nonces_);
  std::string out;
  out.reserve(draft.bytes + draft.items.size() * 160 + 256);
  if (mode_ == Mode::delta) {
    write_delta_response(out, kind, watch.nonce, control_plane_, resources, draft.removed);
  } else {
    uint64_t version = 0xcbf29ce484222325;
    for (const auto& [name, its_version] : watch.sent) {
      for (const char c : name) version = (version ^ static_cast<uint8_t>(c)) * 0x100000001b3;
      version = (version ^ its_version) * 0x100000001b3;
    }
    write_response(out, kind, version_text(version), watch.nonce, control_plane_, resources);
  }
  return out;
}

std::optional<std::string> StreamState::next(Nanoseconds now) {
  for (const Kind kind : kAllKinds) {
    Watch& watch = watches_[static_cast<size_t>(kind)];
    if (!watch.asked || watch.waiting) continue;
    const bool in_turn = !watch.todo.empty() && now >= watch.push_at;
    const bool hurried = !watch.todo.empty() && watch.urgent;
    if (!watch.answer && !in_turn && !hurried) continue;
    Draft draft;
    collect(watch, kind, draft);
    const bool empty = draft.items.empty() && draft.removed.empty();
    const bool says_nothing = empty && !watch.empty_too;
    const bool was_answer = watch.answer;
    // What did not fit follows when this is acknowledged.
    watch.answer = !watch.todo.empty();
    watch.empty_too = watch.urgent = false;
    if (says_nothing) continue;
    if (hurried && !in_turn && !was_answer) ++counters_.responses_urgent;
    watch.push_at = now + kPushInterval;
    watch.waiting = true;
    ++counters_.responses;
    counters_.resources += draft.items.size();
    counters_.removals += draft.removed.size();
    return write(watch, kind, draft);
  }
  return std::nullopt;
}

Nanoseconds StreamState::due() const {
  Nanoseconds due = net::kNoDeadline;
  for (const Watch& watch : watches_) {
    if (!watch.asked || watch.waiting) continue;
    if (watch.answer) return Nanoseconds{0};
    if (watch.todo.empty()) continue;
    due = std::min(due, watch.urgent ? Nanoseconds{0} : watch.push_at);
  }
  return due;
}

}  // namespace weir::fleet::xds
