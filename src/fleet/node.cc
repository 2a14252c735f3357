#include "fleet/node.h"

#include "net/tcp.h"

namespace weir::fleet {
namespace {

http::ServerConfig server_config(const NodeOptions& options) {
  http::ServerConfig config;
  config.body_bytes_max = options.api.body_bytes_max;
  config.connections_max = options.connections_max;
  return config;
}

}  // namespace

Node::Node(net::Loop& loop, NodeOptions options) : loop_(loop) {
  options.fleet.first_second = Ticker::first_second(loop.clock().wall_ms());
  fleet_ = std::make_unique<Fleet>(loop, options.fleet);
  ticker_ = std::make_unique<Ticker>(loop, *fleet_);
  api_ = std::make_unique<Api>(loop, *fleet_, *ticker_, options.api);
  narrator_ = std::make_unique<Narrator>(*fleet_);
  ticker_->on_tick([this] { narrator_->tell(); });
  server_ = std::make_unique<http::Server>(
      loop, server_config(options),
      [this](http::ServerExchange& exchange) { return serve_api(*api_, exchange); });
}

Node::~Node() = default;

Result<net::Address> Node::listen(const net::Address& address) {
  net::ListenOptions options;
  options.address = address;
  options.reuse_port = false;
  WEIR_TRY(auto listener, net::Listener::open(loop_, options));
  const net::Address bound = listener->address();
  server_->listen(std::move(listener));
  return bound;
}

void Node::start() {
  ticker_->start();
}

net::Task<void> Node::drain(Nanoseconds limit) {
  co_await server_->drain(limit);
}

}  // namespace weir::fleet
