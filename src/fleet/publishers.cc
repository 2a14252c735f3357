#include "fleet/publishers.h"

#include <utility>

#include "fleet/shared_dialer.h"
#include "net/dial_policy.h"
#include "net/local.h"
#include "net/tcp.h"

namespace weir::fleet {

namespace {

constexpr std::string_view kUnix = "unix:";

}  // namespace

Publishers::Publishers(net::Loop& loop, Feed& feed, std::function<bool()> standby)
    : loop_(loop), feed_(feed), standby_(std::move(standby)) {}

// The streams go before the server that serves them.
Publishers::~Publishers() {
  sinks_.clear();
  xds_http_.reset();
}

Result<net::Dialer*> Publishers::network() {
  if (!dialer_) {
    WEIR_TRY(resolver_, net::CaresResolver::create(loop_));
    WEIR_TRY(tls_, net::TlsClientContext::create({}));
    dialer_ =
        std::make_unique<net::SystemDialer>(loop_, *resolver_, *tls_, net::inside_addresses());
  }
  return dialer_.get();
}

Result<std::unique_ptr<net::Dialer>> Publishers::dialer_to(const std::string& address,
                                                           net::Origin& origin) {
  if (address.starts_with(kUnix)) {
    WEIR_TRY(const net::Address local, net::local_address(address.substr(kUnix.size())));
    return std::make_unique<net::FixedDialer>(loop_, local);
  }
  WEIR_TRY(net::HostPort parts, net::parse_host_port(address));
  origin.host = std::move(parts.host);
  origin.port = parts.port;
  WEIR_TRY(net::Dialer* const dialer, network());
  return std::make_unique<SharedDialer>(*dialer);
}

Result<void> Publishers::start(const PublisherOptions& options) {
  if (options.xds) {
    xds_ = std::make_unique<xds::Server>(loop_, feed_, options.xds->config);
    xds_http_ = std::make_unique<http::Server>(
        loop_, xds::http_config(),
        [this](http::ServerExchange& exchange) { return xds_->serve(exchange); });
    WEIR_TRY(auto listener,
             net::Listener::open(loop_, {.address = options.xds->listen, .reuse_port = false}));
    xds_address_ = listener->address();
    xds_http_->listen(std::move(listener), options.xds->tls);
  }
  if (options.haproxy_agent) {
    agent_ = std::make_unique<haproxy::Agent>(loop_, feed_);
    WEIR_TRY(agent_address_, agent_->listen(*options.haproxy_agent));
  }
  for (const PublisherOptions::Haproxy& one : options.haproxy) {
    net::Origin origin;
    WEIR_TRY(auto dialer, dialer_to(one.address, origin));
    sinks_.push_back(std::make_unique<haproxy::RuntimeSink>(
        loop_, feed_, std::move(dialer), std::move(origin), one.backends,
        SinkOptions{.kind = {}, .name = one.name, .services = {}, .held = standby_}));
  }
  for (const PublisherOptions::Nacos& one : options.nacos) {
    WEIR_TRY(net::Dialer* const dialer, network());
    sinks_.push_back(std::make_unique<nacos::InstanceSink>(
        loop_, feed_, std::make_unique<SharedDialer>(*dialer), one.address, one.services,
        one.writes_per_second,
        SinkOptions{.kind = {}, .name = one.name, .services = {}, .held = standby_}));
  }
  for (const PublisherOptions::Dubbo& one : options.dubbo) {
    WEIR_TRY(net::Dialer* const dialer, network());
    sinks_.push_back(std::make_unique<dubbo::RuleSink>(
        loop_, feed_, std::make_unique<SharedDialer>(*dialer), one.address, one.applications,
        SinkOptions{.kind = {}, .name = one.name, .services = one.services, .held = standby_}));
  }
  for (const auto& sink : sinks_) sink->start();
  return {};
}

net::Task<void> Publishers::drain(Nanoseconds limit) {
  if (!xds_) co_return;
  xds_->stop();
  co_await xds_http_->drain(limit);
}

PublisherFigures Publishers::figures() const {
  PublisherFigures out;
  if (xds_) {
    out.xds = xds_->counters();
    out.xds_left_out = xds_->catalog().left_out();
  }
  if (agent_) out.agent = agent_->counters();
  for (const auto& sink : sinks_) {
    out.sinks.push_back({sink->options().kind, sink->options().name, sink->counters()});
  }
  return out;
}

}  // namespace weir::fleet
