// The override rule by which Dubbo's consumers take weights: application scope, consumer side
// (ConfigParser of Apache Dubbo 2.7 and 3). One item per weight, kItemsMax items: every provider
// whose parameters change is referred to anew by every consumer, so weights that are near are told
// as one. Pure.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fleet/feed.h"

namespace weir::fleet::dubbo {

inline constexpr size_t kItemsMax = 10;
inline constexpr size_t kRuleBytes = 100'000;  // what Nacos takes as one document
inline constexpr uint32_t kDefaultWeight = 100;

struct Rule {
  std::string text;
  size_t weights = 0;   // providers with another weight than Dubbo's own
  size_t left_out = 0;  // providers for which there was no room
};
// `application`: the consumers'. Providers at Dubbo's default weight are not named.
Rule make_rule(std::string_view application,
               const std::vector<std::shared_ptr<const ServiceView>>& services);

}  // namespace weir::fleet::dubbo
