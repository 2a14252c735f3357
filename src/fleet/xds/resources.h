// The resources that clients of xDS are given for a service, in the two forms that clients follow
// (envoy/config/**/v3). All four resources of a service carry its name.
//
//   envoy  a locality per zone, a weight per endpoint; what is drained is DRAINING, for Envoy keeps
//          the connections to what it knows. No listener: an Envoy has its own.
//   grpc   a locality per endpoint and the weight on the locality, because round_robin ignores the
//          weights of endpoints (gRFC A27); what is drained is left out; at most kGrpcEndpointsMax
//          endpoints, each client its own. Never ring_hash, which ends gRPC C++ 1.51.
//
// In both the client's own outlier detection and panic threshold are off, so that two schedulers do
// not fight. Values only; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/feed.h"
#include "fleet/xds/messages.h"

namespace weir::fleet::xds {

enum class Form : uint8_t { envoy, grpc };
// By the user_agent_name of the node: "gRPC C-core...", "gRPC Node...", "gRPC Go", "gRPC Java".
Form form_of(std::string_view user_agent);

inline constexpr size_t kGrpcEndpointsMax = 200;
// A picker of grpc-js counts in 32 bits with a sign: a client's weights sum to less.
static_assert(kGrpcEndpointsMax * UINT16_MAX < (uint64_t{1} << 31));

std::string listener(std::string_view service);
std::string route_configuration(std::string_view service);
std::string cluster(std::string_view service, Form form);

// A service's view with what all its assignments need, so that each costs little.
class Roster {
 public:
  Roster() = default;
  // `before`: that of the view before, of which everything is taken over that stayed.
  Roster(std::shared_ptr<const ServiceView> view, const Roster& before);

  const std::shared_ptr<const ServiceView>& view() const { return view_; }
  // Endpoints whose address is a name: xDS wants numbers.
  size_t left_out() const { return left_out_; }
  // Whether every gRPC client is given the same endpoints.
  bool same_for_all() const { return members_.size() <= kGrpcEndpointsMax; }

 private:
  friend std::string envoy_assignment(const Roster& roster);
  friend std::string grpc_assignment(const Roster& roster, std::string_view client);
  struct Member {
    const EndpointView* endpoint = nullptr;
    uint64_t hash = 0;  // of its name
  };
  std::shared_ptr<const ServiceView> view_;
  std::vector<Member> members_;  // those with a number, by name
  size_t left_out_ = 0;
};

std::string envoy_assignment(const Roster& roster);
// `client` decides which endpoints it is given where there are more than kGrpcEndpointsMax: the
// same ones each time, as far as they are still there.
std::string grpc_assignment(const Roster& roster, std::string_view client);

}  // namespace weir::fleet::xds
