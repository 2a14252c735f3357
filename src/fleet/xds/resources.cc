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

uint64_t hash_of(std::string_view client, std::string_view endpoint) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const std::string_view part : {client, std::string_view("\0", 1), endpoint}) {
    for (const char c : part) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  }
  // FNV's high bits know little of the last bytes: stirred, so that any order is as likely.
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccd;
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

Assignment envoy_assignment(const ServiceView& view) {
  std::map<std::string_view, std::vector<const EndpointView*>> zones;
  Assignment made;
  for (const EndpointView& endpoint : view.endpoints) {
    if (has_number(*endpoint.info)) {
      zones[endpoint.info->zone].push_back(&endpoint);
    } else {
      ++made.left_out;
    }
  }
  Writer writer(made.message);
  writer.text(1, view.name);
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
  return made;
}

bool same_for_all(const ServiceView& view) {
  return view.endpoints.size() <= kGrpcEndpointsMax;
}

Assignment grpc_assignment(const ServiceView& view, std::string_view client) {
  Assignment made;
  std::vector<std::pair<uint64_t, const EndpointView*>> chosen;
  for (const EndpointView& endpoint : view.endpoints) {
    if (!has_number(*endpoint.info)) {
      ++made.left_out;
    } else if (endpoint.weight > 0) {
      chosen.emplace_back(0, &endpoint);
    }
  }
  if (chosen.size() > kGrpcEndpointsMax) {
    for (auto& [rank, endpoint] : chosen) rank = hash_of(client, endpoint->info->name);
    std::ranges::nth_element(chosen, chosen.begin() + kGrpcEndpointsMax);
    chosen.resize(kGrpcEndpointsMax);
    std::ranges::sort(chosen, {}, [](const auto& one) { return one.second->info->name; });
  }
  Writer writer(made.message);
  writer.text(1, view.name);
  for (const auto& [rank, endpoint] : chosen) {
    writer.message(2, [&] {  // LocalityLbEndpoints
      write_locality(writer, 1, endpoint->info->zone, endpoint->info->name);
      write_endpoint(writer, 2, *endpoint->info, kHealthy, 0);
      writer.wrapped(3, endpoint->weight);
    });
  }
  return made;
}

}  // namespace weir::fleet::xds
