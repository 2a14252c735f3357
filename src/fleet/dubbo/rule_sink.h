// RuleSink: weights to Dubbo's consumers, as override rules in a Nacos configuration center. A
// round reads the rule of each consuming application and writes it where it differs. Rounds are a
// minute apart unless a change is gross, because in Dubbo a change of weight is expensive. One
// thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fleet/nacos/client.h"
#include "fleet/sink.h"

namespace weir::fleet::dubbo {

inline constexpr Nanoseconds kRuleInterval = std::chrono::seconds(60);
inline constexpr std::string_view kRuleGroup = "dubbo";

class RuleSink final : public Sink {
 public:
  // `applications`: the consumers', whose rules name the providers of all `options.services`.
  RuleSink(net::Loop& loop, Feed& feed, std::unique_ptr<net::Dialer> dialer, nacos::Address address,
           std::vector<std::string> applications, SinkOptions options);
  ~RuleSink() override { stop(); }

 private:
  net::Task<Result<void>> round() override;

  std::unique_ptr<net::Dialer> dialer_;
  nacos::Client client_;
  const std::vector<std::string> applications_;
};

}  // namespace weir::fleet::dubbo
