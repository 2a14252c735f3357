#include "fleet/dubbo/rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/json/writer.h"

namespace weir::fleet::dubbo {

namespace {

using Buckets = std::map<uint32_t, std::vector<std::string>>;  // weight and addresses

// Joins the two neighbors that are nearest by ratio, under the weight that more have. What is
// drained stays apart.
void join_nearest(Buckets& buckets) {
  auto best = buckets.end();
  double best_ratio = 0;
  for (auto at = buckets.begin(); std::next(at) != buckets.end(); ++at) {
    if (at->first == 0) continue;
    const double ratio = static_cast<double>(at->first) / std::next(at)->first;
    if (ratio > best_ratio) {
      best_ratio = ratio;
      best = at;
    }
  }
  if (best == buckets.end()) return;
  auto other = std::next(best);
  if (other->second.size() > best->second.size()) std::swap(best, other);
  best->second.insert(best->second.end(), other->second.begin(), other->second.end());
  buckets.erase(other);
}

std::string address_of(const EndpointInfo& info) {
  return info.address.find(':') == std::string::npos
             ? fmt::format("{}:{}", info.address, info.port)
             : fmt::format("[{}]:{}", info.address, info.port);
}

}  // namespace

Rule make_rule(std::string_view application,
               const std::vector<std::shared_ptr<const ServiceView>>& services) {
  Buckets buckets;
  for (const auto& service : services) {
    for (const EndpointView& endpoint : service->endpoints) {
      // A standard machine's weight is 1000 here and 100 there.
      const uint32_t weight =
          endpoint.weight == 0 ? 0 : std::max<uint32_t>(1, (endpoint.weight + 5U) / 10U);
      if (weight != kDefaultWeight) buckets[weight].push_back(address_of(*endpoint.info));
    }
  }
  while (buckets.size() > kItemsMax) join_nearest(buckets);

  Rule rule;
  rule.text = fmt::format("configVersion: v2.7\nscope: application\nkey: {}\nenabled: {}\n",
                          json::quoted(application), buckets.empty() ? "false" : "true");
  rule.text += buckets.empty() ? "configs: []\n" : "configs:\n";
  // The least weights first: where there is no room for all, these matter most.
  for (auto& [weight, addresses] : buckets) {
    std::ranges::sort(addresses);
    const std::string head = "- side: consumer\n  addresses: [\"0.0.0.0\"]\n  providerAddresses:\n";
    const std::string tail = fmt::format("  parameters:\n    weight: {}\n", weight);
    size_t left = kRuleBytes - std::min(kRuleBytes, rule.text.size() + head.size() + tail.size());
    std::string lines;
    for (const std::string& address : addresses) {
      const std::string line = fmt::format("  - {}\n", json::quoted(address));
      if (line.size() > left) {
        ++rule.left_out;
        continue;
      }
      left -= line.size();
      lines += line;
      ++rule.weights;
    }
    if (!lines.empty()) rule.text += head + lines + tail;
  }
  return rule;
}

}  // namespace weir::fleet::dubbo
