#include "fleet/haproxy/servers_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/text.h"

namespace weir::fleet::haproxy {

namespace {

constexpr uint32_t kForcedDrain = 0x08;  // SRV_ADMF_FDRAIN
constexpr uint32_t kWeightMost = 256;

// "10.0.0.1:80", "[::1]:80".
std::string address_text(std::string_view host, std::string_view port) {
  const bool v6 = host.find(':') != std::string_view::npos;
  return v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> out = split(line, ' ');
  std::erase(out, std::string_view());
  return out;
}

// Which column has which name.
struct Columns {
  size_t name = 0, address = 0, port = 0, admin = 0, weight = 0, last = 0;

  static std::optional<Columns> read(std::string_view line) {
    auto names = words(line);
    if (names.empty() || names[0] != "#") return std::nullopt;
    names.erase(names.begin());
    Columns columns;
    for (const auto& [place, name] :
         {std::pair(&columns.name, "srv_name"), std::pair(&columns.address, "srv_addr"),
          std::pair(&columns.port, "srv_port"), std::pair(&columns.admin, "srv_admin_state"),
          std::pair(&columns.weight, "srv_uweight")}) {
      const auto found = std::ranges::find(names, std::string_view(name));
      if (found == names.end()) return std::nullopt;
      *place = static_cast<size_t>(found - names.begin());
      columns.last = std::max(columns.last, *place);
    }
    return columns;
  }
};

}  // namespace

Result<std::vector<ServerState>> read_servers_state(std::string_view text) {
  std::optional<Columns> columns;
  std::vector<ServerState> out;
  for (const std::string_view raw : split(text, '\n')) {
    const std::string_view line = trim(raw);
    if (line.empty() || line == "1") continue;
    if (!columns) {
      columns = Columns::read(line);
      if (!columns) {
        return fail(ErrorCode::invalid_argument, fmt::format("HAProxy says: {}", line));
      }
      continue;
    }
    const auto fields = words(line);
    if (fields.size() <= columns->last) continue;
    const auto admin = parse_uint64(fields[columns->admin], UINT32_MAX);
    const auto weight = parse_int64(fields[columns->weight]);
    if (!admin || !weight) continue;
    out.push_back({std::string(fields[columns->name]),
                   address_text(fields[columns->address], fields[columns->port]),
                   static_cast<uint32_t>(*admin), *weight});
  }
  if (!columns) return fail(ErrorCode::invalid_argument, "HAProxy told nothing of the backend");
  return out;
}

Plan plan_commands(std::string_view backend, const ServiceView& view,
                   const std::vector<ServerState>& servers) {
  std::map<std::string_view, const ServerState*> by_name, by_address;
  for (const ServerState& server : servers) {
    by_name.emplace(server.name, &server);
    by_address.emplace(server.address, &server);
  }
  uint32_t largest = 1;
  for (const EndpointView& endpoint : view.endpoints) {
    largest = std::max<uint32_t>(largest, endpoint.full);
  }
  Plan plan;
  for (const EndpointView& endpoint : view.endpoints) {
    auto found = by_name.find(endpoint.info->name);
    if (found == by_name.end()) {
      const std::string address =
          address_text(endpoint.info->address, std::to_string(endpoint.info->port));
      found = by_address.find(address);
      if (found == by_address.end()) {
        ++plan.unmatched;
        continue;
      }
    }
    const ServerState& server = *found->second;
    const std::string place = fmt::format("{}/{}", backend, server.name);
    const uint32_t scaled = (endpoint.weight * kWeightMost + largest / 2) / largest;
    const uint32_t weight = endpoint.weight == 0 ? 0 : std::clamp<uint32_t>(scaled, 1, kWeightMost);
    const bool forced = (server.admin & kForcedDrain) != 0;
    if (weight == 0 && !forced) {
      plan.commands.push_back(fmt::format("set server {} state drain", place));
    }
    if (server.weight != weight) {
      plan.commands.push_back(fmt::format("set server {} weight {}", place, weight));
      ++plan.weights;
    }
    if (weight > 0 && forced && server.weight == 0) {
      plan.commands.push_back(fmt::format("set server {} state ready", place));
    }
  }
  return plan;
}

}  // namespace weir::fleet::haproxy
