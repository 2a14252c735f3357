#include "fleet/xds/resources.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "base/text.h"
#include "fleet/xds/protobuf.h"
#include "net/address.h"

namespace weir::fleet::xds {

namespace {

constexpr std::string_view kHttpConnectionManager =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
    "HttpConnectionManager";
constexpr std::string_view kRouter =
    "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";

// core.v3.HealthStatus
constexpr uint64_t kHealthy = 1;
constexpr uint64_t kDraining = 3;
// cluster.v3.Cluster.DiscoveryType
constexpr uint64_t kEds = 3;
// core.v3.ApiVersion
constexpr uint64_t kV3 = 2;

// core.v3.ConfigSource: from the stream that this came by.
void write_ads(Writer& writer, uint32_t field) {
  writer.message(field, [&] {
    writer.bytes(3, "");
    writer.number(6, kV3);
  });
}

// core.v3.Locality
void write_locality(Writer& writer, uint32_t field, std::string_view zone, std::string_view part) {
  writer.message(field, [&] {
    writer.text(2, zone);
    writer.text(3, part);
  });
}

// endpoint.v3.LbEndpoint
void write_endpoint(Writer& writer, uint32_t field, const EndpointInfo& info, uint64_t health,
                    uint64_t weight) {
  writer.message(field, [&] {
    writer.message(1, [&] {      // Endpoint
      writer.message(1, [&] {    // Address
        writer.message(1, [&] {  // SocketAddress
          writer.text(2, info.address);
          writer.number(3, info.port);
        });
      });
    });
    writer.number(2, health);
    if (weight > 0) writer.wrapped(4, weight);
  });
}

bool has_number(const EndpointInfo& info) {
  return net::Address::parse(info.address, info.port).has_value();
}

uint64_t hash_of(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

// FNV's high bits know little of the last bytes: stirred, so that any order is as likely.
uint64_t stir(uint64_t hash) {
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccd;
  hash ^= hash >> 33;
  hash *= 0xc4ceb9fe1a85ec53;
  return hash ^ hash >> 33;
}

}  // namespace

Form form_of(std::string_view user_agent) {
  return starts_with_ignore_case(user_agent, "grpc") ? Form::grpc : Form::envoy;
}

std::string listener(std::string_view service) {
  std::string out;
  Writer writer(out);
  writer.text(1, service);
  writer.message(19, [&] {   // api_listener
    writer.message(1, [&] {  // Any
      writer.text(1, kHttpConnectionManager);
      writer.message(2, [&] {
        writer.message(3, [&] {  // rds
          write_ads(writer, 1);
          writer.text(2, service);
        });
        writer.message(5, [&] {  // http_filters
          writer.text(1, "router");
          writer.message(4, [&] { writer.text(1, kRouter); });
        });
      });
    });
  });
  return out;
}

std::string route_configuration(std::string_view service) {
  std::string out;
  Writer writer(out);
  writer.text(1, service);
  writer.message(2, [&] {  // virtual_hosts
    writer.text(1, service);
    writer.text(2, "*");
    writer.message(3, [&] {                             // routes
      writer.message(1, [&] { writer.bytes(1, ""); });  // match: any prefix
      writer.message(2, [&] {                           // route
        writer.text(1, service);
        writer.bytes(8, "");  // timeout: none of Envoy's 15 s
      });
    });
  });
  return out;
}

std::string cluster(std::string_view service, Form form) {
  std::string out;
  Writer writer(out);
  writer.text(1, service);
  writer.number(2, kEds);
  writer.message(3, [&] { write_ads(writer, 1); });
  // lb_policy (6) is ROUND_ROBIN, 0; outlier_detection (19) is off where it is not there.
  if (form == Form::envoy) {
    writer.message(27, [&] {  // common_lb_config
      writer.bytes(1, "");    // healthy_panic_threshold: 0 %
      writer.bytes(4, "");    // update_merge_window: 0 s, for Weir has gathered already
    });
  }
  return out;
}

Roster::Roster(std::shared_ptr<const ServiceView> view, const Roster& before)
    : view_(std::move(view)) {
  members_.reserve(view_->endpoints.size());
  auto known = before.members_.begin();
  for (const EndpointView& endpoint : view_->endpoints) {
    const std::string& name = endpoint.info->name;
    while (known != before.members_.end() && known->endpoint->info->name < name) ++known;
    if (known != before.members_.end() && known->endpoint->info == endpoint.info) {
      members_.push_back({&endpoint, known->hash});
    } else if (has_number(*endpoint.info)) {
      members_.push_back({&endpoint, hash_of(name)});
    } else {
      ++left_out_;
    }
  }
}

std::string envoy_assignment(const Roster& roster) {
  std::map<std::string_view, std::vector<const EndpointView*>> zones;
  for (const Roster::Member& member : roster.members_) {
    zones[member.endpoint->info->zone].push_back(member.endpoint);
  }
  std::string out;
  Writer writer(out);
  writer.text(1, roster.view()->name);
  for (const auto& [zone, endpoints] : zones) {
    writer.message(2, [&] {  // LocalityLbEndpoints
      write_locality(writer, 1, zone, "");
      for (const EndpointView* endpoint : endpoints) {
        const bool serves = endpoint->weight > 0;
        write_endpoint(writer, 2, *endpoint->info, serves ? kHealthy : kDraining,
                       serves ? endpoint->weight : 1);
      }
    });
  }
  return out;
}

std::string grpc_assignment(const Roster& roster, std::string_view client) {
  std::vector<std::pair<uint64_t, const EndpointView*>> chosen;
  chosen.reserve(roster.members_.size());
  const uint64_t salt = roster.same_for_all() ? 0 : stir(hash_of(client));
  for (const Roster::Member& member : roster.members_) {
    if (member.endpoint->weight > 0) {
      chosen.emplace_back(stir(member.hash ^ salt), member.endpoint);
    }
  }
  if (chosen.size() > kGrpcEndpointsMax) {
    std::ranges::nth_element(chosen, chosen.begin() + kGrpcEndpointsMax);
    chosen.resize(kGrpcEndpointsMax);
    // Back in order of name, which is the view's.
    std::ranges::sort(chosen, {}, [](const auto& one) { return one.second; });
  }
  std::string out;
  Writer writer(out);
  writer.text(1, roster.view()->name);
  for (const auto& [rank, endpoint] : chosen) {
    writer.message(2, [&] {  // LocalityLbEndpoints
      write_locality(writer, 1, endpoint->info->zone, endpoint->info->name);
      write_endpoint(writer, 2, *endpoint->info, kHealthy, 0);
      writer.wrapped(3, endpoint->weight);
    });
  }
  return out;
}

}  // namespace weir::fleet::xds
