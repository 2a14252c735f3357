// StreamState: what one stream of xDS has asked for, has been sent, and is due. The protocol
// without its transport: requests go in, responses are taken out one at a time, when the writer has
// room for one. What waits is which names to look up and not what was looked up, so a client that
// does not read costs nothing, and gets the latest when it does.
//
// State of the world and incremental (envoy: xds-protocol). A response is made for a kind when the
// client asks for something, at once; when a resource changes, at most once in kPushInterval,
// unless the change is urgent; and never before the one before it was acknowledged. What a client
// refuses is logged once, counted, and sent again only when it has changed or is asked for.
//
// One thread. Limits: kNamesMax names of each kind; about kResponseBytes a response, where the
// protocol allows it to be told in parts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "fleet/xds/catalog.h"
#include "fleet/xds/messages.h"

namespace weir::fleet::xds {

inline constexpr Nanoseconds kPushInterval = std::chrono::seconds(1);
inline constexpr size_t kResponseBytes = size_t{1} << 20;

struct Counters {
  uint64_t streams_open = 0;
  uint64_t streams = 0;  // ever
  uint64_t streams_refused = 0;
  uint64_t requests = 0;
  uint64_t requests_bad = 0;    // not a message, or beyond a limit: the stream ended
  uint64_t requests_stale = 0;  // answered a response that was not the last
  uint64_t types_unknown = 0;
  uint64_t acks = 0;
  uint64_t nacks = 0;
  uint64_t responses = 0;
  uint64_t responses_urgent = 0;  // before the interval had passed
  uint64_t resources = 0;         // sent
  uint64_t removals = 0;          // told
};

enum class Mode : uint8_t { state_of_the_world, delta };

class StreamState {
 public:
  // `only`: the kind of a stream that is not aggregated.
  StreamState(Catalog& catalog, Counters& counters, Mode mode, std::string_view control_plane,
              std::optional<Kind> only = std::nullopt);

  // Takes a request in. An error ends the stream.
  Result<void> take(std::string_view message);
  // A service changed, or (with an empty name) services came or went.
  void changed(const Catalog::Change& change);

  // The next response that may be sent at `now`, if any.
  std::optional<std::string> next(Nanoseconds now);
  // When next() may have something, if nothing else happens; kNoDeadline: never.
  Nanoseconds due() const;

  const Node& node() const { return node_; }

 private:
  struct Watch {
    bool asked = false;
    bool wildcard = false;
    std::set<std::string, std::less<>> names;
    std::map<std::string, uint64_t, std::less<>> sent;  // versions
    // Names to look at; true: to be told whatever was sent before.
    std::map<std::string, bool, std::less<>> todo;
    std::string nonce;       // of the last response
    bool waiting = false;    // for its acknowledgment
    bool answer = false;     // the client asked for something
    bool empty_too = false;  // and is to hear that there is nothing
    bool urgent = false;
    bool refusing = false;  // the last answer was a refusal
    Nanoseconds push_at{0};

    bool covers(std::string_view name) const { return wildcard || names.contains(name); }
  };
  struct Draft;

  Result<void> take_names(Watch& watch, Kind kind, Request& request);
  Result<void> take_delta(Watch& watch, Kind kind, Request& request);
  void take_answer(Watch& watch, Kind kind, const Request& request);
  void look_at_all(Watch& watch, Kind kind);
  // State of the world is told whole for these kinds; what is missing is gone.
  bool told_whole(Kind kind) const;
  void collect(Watch& watch, Kind kind, Draft& draft);
  std::string write(Watch& watch, Kind kind, const Draft& draft);

  Catalog& catalog_;
  Counters& counters_;
  const Mode mode_;
  const std::string control_plane_;
  const std::optional<Kind> only_;
  Node node_;
  bool has_node_ = false;
  Audience audience_;
  std::array<Watch, kKinds> watches_;
  uint64_t nonces_ = 0;
  std::set<std::string> unknown_types_;
};

}  // namespace weir::fleet::xds
