#include "fleet/dubbo/rule_sink.h"

#include <fmt/format.h>

#include <utility>

#include "fleet/dubbo/rule.h"

namespace weir::fleet::dubbo {

namespace {

SinkOptions paced(SinkOptions options) {
  options.kind = "dubbo";
  options.interval = kRuleInterval;
  options.resync = kRuleInterval;
  return options;
}

}  // namespace

RuleSink::RuleSink(net::Loop& loop, Feed& feed, std::unique_ptr<net::Dialer> dialer,
                   nacos::Address address, std::vector<std::string> applications,
                   SinkOptions options)
    : Sink(loop, feed, paced(std::move(options))),
      dialer_(std::move(dialer)),
      client_(loop, *dialer_, std::move(address)),
      applications_(std::move(applications)) {}

net::Task<Result<void>> RuleSink::round() {
  std::vector<std::shared_ptr<const ServiceView>> services;
  for (const std::string& name : options().services) {
    if (auto view = feed_.view(name)) services.push_back(std::move(view));
  }
  uint64_t left_out = 0;
  for (const std::string& application : applications_) {
    const Rule rule = make_rule(application, services);
    left_out += rule.left_out;
    const std::string id = application + ".configurators";
    const auto there = co_await client_.read(id, std::string(kRuleGroup));
    if (!there && there.error().code() != ErrorCode::not_found) co_return fail(there.error());
    if (there && *there == rule.text) continue;
    auto written = co_await client_.write(id, std::string(kRuleGroup), rule.text);
    if (!written) co_return fail(std::move(written.error()));
    counters_.changes += rule.weights;
  }
  counters_.unmatched = left_out;
  complain("dubbo_rule_full",
           left_out == 0 ? "" : fmt::format("{} providers did not fit into the rule", left_out));
  co_return Result<void>();
}

}  // namespace weir::fleet::dubbo
