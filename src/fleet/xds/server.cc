#include "fleet/xds/server.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace weir::fleet::xds {

struct Server::Method {
  std::string_view path;
  Mode mode;
  std::optional<Kind> only;
};

// One call: what its two coroutines share.
struct Server::Stream {
  Stream(Server& its_server, http::ServerExchange& its_exchange, const Method& method)
      : server(its_server),
        exchange(its_exchange),
        state(server.catalog_, server.counters_, method.mode, server.config_.control_plane,
              method.only),
        news(server.loop_),
        subscription(server.catalog_.subscribe([this](const Catalog::Change& change) {
          state.changed(change);
          news.set();
        })) {
    server.streams_.push_back(this);
    ++server.counters_.streams;
    server.counters_.streams_open = server.streams_.size();
  }
  ~Stream() {
    std::erase(server.streams_, this);
    server.counters_.streams_open = server.streams_.size();
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void end_with(GrpcEnd why) {
    if (!end) end = std::move(why);
    news.set();
  }

  Server& server;
  http::ServerExchange& exchange;
  StreamState state;
  net::Event news;
  std::optional<GrpcEnd> end;
  net::Deadline deadline = net::kNoDeadline;
  Subscription subscription;
};

namespace {

// A call that ends before it began: all in one head.
net::Task<void> refuse(http::ServerExchange& exchange, GrpcEnd end) {
  const std::string status = status_text(end.status);
  const std::string message = encode_message(end.message);
  http::ResponseHead head;
  head.headers = {
      {"content-type", "application/grpc"}, {"grpc-status", status}, {"grpc-message", message}};
  static_cast<void>(co_await exchange.respond(head, ""));
}

net::Task<void> refuse_http(http::ServerExchange& exchange, int status, std::string_view why) {
  http::ResponseHead head;
  head.status = status;
  head.headers.add("content-type", "text/plain");
  static_cast<void>(co_await exchange.respond(head, why));
}

}  // namespace

http::ServerConfig http_config() {
  http::ServerConfig config;
  config.body_timeout = net::kNoDeadline;
  config.body_bytes_max = UINT64_MAX;
  return config;
}

Server::Server(net::Loop& loop, Feed& feed, Config config)
    : loop_(loop), config_(std::move(config)), catalog_(feed) {}

Server::~Server() = default;

const Server::Method* Server::find_method(std::string_view path) {
  using enum Mode;
  using enum Kind;
  static constexpr auto kMethods = std::to_array<Method>({
      {"discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources", state_of_the_world, {}},
      {"discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources", delta, {}},
      {"endpoint.v3.EndpointDiscoveryService/StreamEndpoints", state_of_the_world, load_assignment},
      {"endpoint.v3.EndpointDiscoveryService/DeltaEndpoints", delta, load_assignment},
      {"cluster.v3.ClusterDiscoveryService/StreamClusters", state_of_the_world, cluster},
      {"cluster.v3.ClusterDiscoveryService/DeltaClusters", delta, cluster},
      {"listener.v3.ListenerDiscoveryService/StreamListeners", state_of_the_world, listener},
      {"listener.v3.ListenerDiscoveryService/DeltaListeners", delta, listener},
      {"route.v3.RouteDiscoveryService/StreamRoutes", state_of_the_world, route},
      {"route.v3.RouteDiscoveryService/DeltaRoutes", delta, route},
  });
  constexpr std::string_view kPrefix = "/envoy.service.";
  if (!path.starts_with(kPrefix)) return nullptr;
  const auto found = std::ranges::find(kMethods, path.substr(kPrefix.size()), &Method::path);
  return found == kMethods.end() ? nullptr : &*found;
}

net::Task<void> Server::serve(http::ServerExchange& exchange) {
  const http::RequestHead& request = exchange.head();
  if (!is_grpc(request.headers.get("content-type"))) {
    co_return co_await refuse_http(exchange, 415, "this port speaks gRPC only\n");
  }
  const Method* method = request.method == "POST" ? find_method(request.path) : nullptr;
  const auto timeout = request.headers.find("grpc-timeout");
  const auto allowed = timeout ? parse_timeout(*timeout) : std::nullopt;
  std::optional<GrpcEnd> refusal;
  if (method == nullptr) {
    refusal = {GrpcStatus::unimplemented, "no such method"};
  } else if (timeout && !allowed) {
    refusal = {GrpcStatus::internal, "grpc-timeout is malformed"};
  } else if (stopped_) {
    refusal = {GrpcStatus::unavailable, "the server is stopping"};
  } else if (streams_.size() >= config_.streams_max) {
    ++counters_.streams_refused;
    refusal = {GrpcStatus::resource_exhausted, "too many streams"};
  }
  if (refusal) co_return co_await refuse(exchange, std::move(*refusal));

  http::ResponseHead head;
  head.headers.add("content-type", "application/grpc");
  if (!co_await exchange.begin(head) || !co_await exchange.flush_head()) co_return;
  Stream stream(*this, exchange, *method);
  if (allowed) stream.deadline = loop_.deadline_in(*allowed);
  {
    net::TaskGroup reader(loop_);
    reader.spawn(read(stream));
    co_await write(stream);
  }
  const GrpcEnd end = stream.end.value_or(GrpcEnd{});
  const std::string status = status_text(end.status);
  const std::string message = encode_message(end.message);
  http::HeaderList trailers = {{"grpc-status", status}};
  if (!message.empty()) trailers.add("grpc-message", message);
  static_cast<void>(co_await exchange.finish(trailers));
}

net::Task<void> Server::read(Stream& stream) {
  FrameReader frames(config_.request_bytes_max);
  const std::string encoding(stream.exchange.head().headers.get("grpc-encoding"));
  stream.exchange.set_body_limit(UINT64_MAX);
  while (true) {
    const Result<std::string_view> piece = co_await stream.exchange.read_body();
    if (!piece) co_return stream.end_with({GrpcStatus::unavailable, "the stream broke off"});
    if (piece->empty()) break;
    frames.push(*piece);
    while (const auto message = frames.next(encoding)) {
      if (const Result<void> taken = stream.state.take(*message); !taken) {
        const bool limit = taken.error().code() == ErrorCode::limit_exceeded;
        co_return stream.end_with(
            {limit ? GrpcStatus::resource_exhausted : GrpcStatus::invalid_argument,
             std::string(taken.error().message())});
      }
      stream.news.set();
    }
    if (frames.fault()) {
      ++counters_.requests_bad;
      co_return stream.end_with(*frames.fault());
    }
  }
  if (frames.between_messages()) co_return stream.end_with({});
  ++counters_.requests_bad;
  stream.end_with({GrpcStatus::internal, "the request ends within a message"});
}

net::Task<void> Server::write(Stream& stream) {
  while (!stream.end) {
    const Nanoseconds now = loop_.now();
    if (stream.deadline <= now) {
      co_return stream.end_with({GrpcStatus::deadline_exceeded, "the call's time is over"});
    }
    if (const auto response = stream.state.next(now)) {
      const std::string frame = frame_head(response->size());
      const std::string_view pieces[] = {frame, *response};
      if (!co_await stream.exchange.write(pieces)) {
        co_return stream.end_with({GrpcStatus::unavailable, "the client is gone"});
      }
      continue;
    }
    stream.news.reset();
    const Nanoseconds due = std::min(stream.deadline, stream.state.due());
    if (due == net::kNoDeadline) {
      co_await stream.news.wait();
    } else {
      static_cast<void>(co_await stream.news.wait_for(std::max(due - now, Nanoseconds{0})));
    }
  }
}

void Server::stop() {
  stopped_ = true;
  for (Stream* stream : streams_) {
    stream->end_with({GrpcStatus::unavailable, "the server is stopping"});
  }
}

}  // namespace weir::fleet::xds
