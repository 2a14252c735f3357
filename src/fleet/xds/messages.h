// The messages of xDS's streams (envoy/service/discovery/v3/discovery.proto), read and written.
// Unknown fields are skipped, as the protocol wants it. Values only; any thread.
//
// Limits: kNamesMax names in a request, kNameBytesMax bytes a name.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace weir::fleet::xds {

inline constexpr size_t kNamesMax = 16'384;
inline constexpr size_t kNameBytesMax = 4096;

// In the order in which a client should be told: what is referred to before what refers to it.
enum class Kind : uint8_t { cluster, load_assignment, listener, route };
inline constexpr size_t kKinds = 4;
inline constexpr std::array<Kind, kKinds> kAllKinds = {Kind::cluster, Kind::load_assignment,
                                                       Kind::listener, Kind::route};
std::string_view type_url(Kind kind);
std::optional<Kind> kind_of(std::string_view type_url);

// Who asks.
struct Node {
  std::string id;
  std::string cluster;
  std::string zone;
  std::string user_agent;

  bool operator==(const Node&) const = default;
};

// A request of either form: DiscoveryRequest fills `names`, DeltaDiscoveryRequest the others.
struct Request {
  std::optional<Node> node;
  std::string type_url;
  std::string nonce;
  std::optional<std::string> error;  // set: the response of that nonce was refused, and why
  std::vector<std::string> names;
  std::vector<std::string> subscribe;
  std::vector<std::string> unsubscribe;
  std::vector<std::pair<std::string, std::string>> known;  // name, version
};

// invalid_argument where the bytes are not such a message; limit_exceeded.
Result<Request> read_request(std::string_view bytes);
Result<Request> read_delta_request(std::string_view bytes);

// A resource of a response: `value` is the message, without its type.
struct Resource {
  std::string_view name;
  std::string_view version;
  std::string_view value;
};

// Appends a DiscoveryResponse.
void write_response(std::string& out, Kind kind, std::string_view version, std::string_view nonce,
                    std::string_view control_plane, const std::vector<Resource>& resources);
// Appends a DeltaDiscoveryResponse.
void write_delta_response(std::string& out, Kind kind, std::string_view nonce,
                          std::string_view control_plane, const std::vector<Resource>& resources,
                          const std::vector<std::string>& removed);

}  // namespace weir::fleet::xds
