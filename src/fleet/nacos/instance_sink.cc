#include "fleet/nacos/instance_sink.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "schedule/table.h"

namespace weir::fleet::nacos {

namespace {

SinkOptions with_services(SinkOptions options, const std::vector<NamedService>& services) {
  options.kind = "nacos";
  for (const NamedService& one : services) options.services.push_back(one.service);
  return options;
}

struct Write {
  Instance instance;
  double change = 1;  // new weight over old
};

// What differs, falls before rises, the largest first.
std::vector<Write> differences(const ServiceView& view, const std::vector<Instance>& instances,
                               uint64_t& unmatched) {
  std::map<std::pair<std::string_view, uint16_t>, std::vector<const Instance*>> places;
  for (const Instance& one : instances) places[{one.ip, one.port}].push_back(&one);
  std::vector<Write> out;
  for (const EndpointView& endpoint : view.endpoints) {
    const auto found = places.find({endpoint.info->address, endpoint.info->port});
    if (found == places.end()) {
      ++unmatched;
      continue;
    }
    const double weight = std::round(endpoint.weight / schedule::kWeightUnit * 1000.0) / 1000.0;
    for (const Instance* instance : found->second) {
      if (std::abs(instance->weight - weight) < 0.0005) continue;
      Write& write = out.emplace_back(Write{*instance, weight / std::max(instance->weight, 0.001)});
      write.instance.weight = weight;
    }
  }
  std::ranges::sort(out, {}, &Write::change);
  return out;
}

}  // namespace

InstanceSink::InstanceSink(net::Loop& loop, Feed& feed, std::unique_ptr<net::Dialer> dialer,
                           Address address, std::vector<NamedService> services,
                           uint32_t writes_per_second, SinkOptions options)
    : Sink(loop, feed, with_services(std::move(options), services)),
      dialer_(std::move(dialer)),
      client_(loop, *dialer_, std::move(address)),
      services_(std::move(services)),
      rate_(writes_per_second),
      tokens_(writes_per_second),
      refilled_(loop.now()) {}

bool InstanceSink::take_token() {
  const Nanoseconds now = loop_.now();
  const double seconds = std::chrono::duration<double>(now - refilled_).count();
  refilled_ = now;
  tokens_ = std::min(rate_, tokens_ + seconds * rate_);
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

net::Task<Result<void>> InstanceSink::round() {
  uint64_t unmatched = 0;
  for (const NamedService& service : services_) {
    const auto view = feed_.view(service.service);
    if (!view) continue;
    const auto instances = co_await client_.list(service.name, service.group);
    if (!instances) co_return fail(instances.error());
    for (const Write& write : differences(*view, *instances, unmatched)) {
      if (!take_token()) {
        again();
        co_return Result<void>();
      }
      auto written = co_await client_.update(service.name, service.group, write.instance);
      if (!written) co_return fail(std::move(written.error()));
      ++counters_.changes;
    }
  }
  counters_.unmatched = unmatched;
  complain("nacos_instances_missing",
           unmatched == 0 ? "" : fmt::format("{} endpoints are no instance there", unmatched));
  co_return Result<void>();
}

}  // namespace weir::fleet::nacos
