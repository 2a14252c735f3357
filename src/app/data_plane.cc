#include "app/data_plane.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <stdexcept>

#include "base/log.h"
#include "dialect/translate.h"
#include "gateway/stages.h"

namespace weir::app {

struct TransportClients::One {
  One(net::Loop& loop, net::Resolver& resolver, std::unique_ptr<net::TlsClientContext> context,
      const net::DialPolicy& policy)
      : tls(std::move(context)), dialer(loop, resolver, *tls, policy), client(loop, dialer) {}
  std::unique_ptr<net::TlsClientContext> tls;
  net::SystemDialer dialer;
  http::Client client;
};

TransportClients::TransportClients(net::Loop& loop, net::Resolver& resolver, net::DialPolicy policy)
    : loop_(loop), resolver_(resolver), policy_(std::move(policy)) {}

TransportClients::~TransportClients() = default;

http::Client& TransportClients::client(const provider::Transport& transport) {
  auto& one = clients_[transport];
  if (!one) {
    auto context = net::TlsClientContext::create(
        {.ca_file = transport.ca_file, .system_roots = transport.ca_file.empty()});
    if (!context) {
      // The file was good when the configuration was checked. Without it no certificate of that
      // account verifies, which is the safe way to fail.
      log::error("ca_file_unreadable",
                 {{"ca_file", transport.ca_file}, {"problem", context.error().message()}});
      context = net::TlsClientContext::create({.system_roots = false});
    }
    one = std::make_unique<One>(loop_, resolver_, std::move(*context), policy_);
  }
  return one->client;
}

void TransportClients::sample(admin::WorkerSample& into) const {
  for (const auto& [transport, one] : clients_) {
    const http::ClientCounters& from = one->client.counters();
    http::ClientCounters& to = into.client;
    to.requests += from.requests;
    to.connections_opened += from.connections_opened;
    to.connect_failures += from.connect_failures;
    to.reused += from.reused;
    to.stale_retries += from.stale_retries;
    to.poisoned += from.poisoned;
    to.expired_idle += from.expired_idle;
    to.refused_by_limit += from.refused_by_limit;
    to.protocol_errors += from.protocol_errors;
    to.truncated += from.truncated;
    to.open += from.open;
    to.idle += from.idle;
    to.http2_streams += from.http2_streams;
    to.http2_goaways += from.http2_goaways;
    to.http2_ping_timeouts += from.http2_ping_timeouts;
    to.h2.connections += from.h2.connections;
    into.tls_handshakes_out += one->tls->counters().handshakes;
    into.tls_resumed_out += one->tls->counters().resumed;
  }
}

namespace {

uint64_t random_seed() {
  uint64_t seed = 0;
  // Fails only before the kernel's pool is filled, at boot; the clock does then.
  if (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
    seed = static_cast<uint64_t>(SystemClock().monotonic().count());
  }
  return seed;
}

// Start-up code: a machine on which c-ares cannot start cannot run Weir.
std::unique_ptr<net::Resolver> make_resolver(net::Loop& loop) {
  auto resolver = net::CaresResolver::create(loop);
  if (!resolver) throw std::runtime_error(std::string(resolver.error().message()));
  return std::move(*resolver);
}

http::ServerConfig server_config(const Server& server, uint32_t workers) {
  http::ServerConfig config;
  config.head.head_bytes = server.limits.head_bytes;
  config.head.headers = server.limits.headers;
  config.body_bytes_max = server.limits.body_bytes;
  config.connections_max = std::max<size_t>(server.limits.connections / workers, 1);
  config.head_timeout = server.timeouts.head;
  config.body_timeout = server.timeouts.body;
  config.write_timeout = server.timeouts.write;
  config.idle_timeout = server.timeouts.keep_alive;
  config.http2 = server.http2;
  // Room for the largest head in frames of 16 KiB.
  config.h2.continuations_max += server.limits.head_bytes / (16 * 1024);
  return config;
}

// Errors that never reach a handler, in the dialect of the path where the head says that much.
http::ErrorReply protocol_error(int status, std::string_view reason,
                                const http::RequestHead* head) {
  gateway::Route route;
  if (head != nullptr) route = gateway::route_of(*head);
  dialect::ApiError error;
  error.type = status == 408   ? dialect::ApiErrorType::timeout
               : status == 413 ? dialect::ApiErrorType::too_large
               : status >= 500 && status != 501 && status != 505
                   ? dialect::ApiErrorType::server
                   : dialect::ApiErrorType::invalid_request;
  error.status = status;
  error.code = "bad_http_request";
  error.message = fmt::format("The request is not HTTP that Weir accepts: {}.", reason);
  return {"application/json", dialect::write_error(route.error_dialect, error, "")};
}

}  // namespace

class DataPlane::WorkerThread {
 public:
  WorkerThread(uint32_t index, const Options& options,
               std::shared_ptr<const gateway::Snapshot> snapshot)
      : loop_(clock_),
        resolver_(make_resolver(loop_)),
        clients_(loop_, *resolver_, options.policy),
        worker_{.loop = loop_,
                .clients = clients_,
                .log = options.log->port(index),
                .ids = IdMaker(static_cast<uint8_t>(index)),
                .random = Random(random_seed()),
                .snapshot = std::move(snapshot),
                .keeper = options.keeper},
        server_(
            loop_, server_config(options.server, options.workers),
            [this](http::ServerExchange& exchange) { return gateway::serve(worker_, exchange); },
            protocol_error),
        tls_(options.tls),
        handshake_timeout_(options.server.timeouts.head) {}

  ~WorkerThread() {
    loop_.stop();
    if (thread_.joinable()) thread_.join();
    loop_.destroy_tasks();
  }

  Result<void> listen(const net::ListenOptions& options) {
    WEIR_TRY(listener_, net::Listener::open(loop_, options));
    return {};
  }
  const net::Address& address() const { return listener_->address(); }

  void run() {
    listener_->start([this](std::unique_ptr<net::Stream> stream) { accept(std::move(stream)); });
    thread_ = std::thread([this] { loop_.run(); });
  }

  void publish(std::shared_ptr<const gateway::Snapshot> snapshot) {
    loop_.post([this, snapshot = std::move(snapshot)] { worker_.snapshot = snapshot; });
  }
  void publish_tls(std::shared_ptr<const net::TlsServerContext> tls) {
    loop_.post([this, tls = std::move(tls)] { tls_ = tls; });
  }
  void sample(net::Loop& asker, const std::function<void(admin::WorkerSample)>& done) {
    loop_.post([this, &asker, done] {
      auto copy = std::make_shared<admin::WorkerSample>();
      copy->gateway = worker_.counters;
      copy->traffic = worker_.traffic.counters();
      copy->queue = worker_.queue.counters();
      copy->server = server_.counters();
      copy->tls_handshakes_in = handshakes_;
      clients_.sample(*copy);
      asker.post([copy, done] { done(std::move(*copy)); });
    });
  }
  void collect(net::Loop& asker, size_t worker, const OnTraffic& done) {
    loop_.post([this, &asker, worker, done] {
      asker.post([samples = worker_.traffic.take_samples(loop_.now()), worker, done] {
        done(worker, samples);
      });
    });
  }
  void probe(const gateway::ProbeOrder& order) {
    loop_.post([this, order] {
      if (!worker_.draining) loop_.spawn(gateway::probe(worker_, order));
    });
  }
  void try_model(net::Loop& asker, std::shared_ptr<const gateway::Snapshot> snapshot,
                 const DataPlane::OnTrial& done) {
    loop_.post([this, &asker, snapshot = std::move(snapshot), done] {
      if (!worker_.draining) loop_.spawn(trial_task(*this, asker, snapshot, done));
    });
  }
  void publish_weights(std::shared_ptr<const gateway::WeightTable> table) {
    loop_.post([this, table = std::move(table)] { worker_.traffic.use(table); });
  }
  void drain(net::Loop& asker, Milliseconds deadline, const std::function<void()>& done) {
    loop_.post([this, &asker, deadline, done] {
      worker_.draining = true;
      listener_->stop();
      loop_.spawn(drain_task(*this, asker, deadline, done));
    });
  }

 private:
  static net::Task<void> drain_task(WorkerThread& self, net::Loop& asker, Milliseconds deadline,
                                    std::function<void()> done) {
    co_await self.server_.drain(deadline);
    asker.post(done);
  }

  static net::Task<void> trial_task(WorkerThread& self, net::Loop& asker,
                                    std::shared_ptr<const gateway::Snapshot> snapshot,
                                    DataPlane::OnTrial done) {
    gateway::TrialEnd end = co_await gateway::try_model(self.worker_, std::move(snapshot));
    asker.post([done, end = std::move(end)] { done(end); });
  }

  void accept(std::unique_ptr<net::Stream> stream) {
    if (tls_) {
      loop_.spawn(handshake(*this, std::move(stream), tls_));
    } else {
      server_.serve_connection(std::move(stream));
    }
  }
  static net::Task<void> handshake(WorkerThread& self, std::unique_ptr<net::Stream> stream,
                                   std::shared_ptr<const net::TlsServerContext> tls) {
    auto secured = co_await net::tls_accept(std::move(stream), std::move(tls),
                                            self.loop_.deadline_in(self.handshake_timeout_));
    if (!secured) {
      log::debug("tls_handshake_failed", {{"problem", secured.error().message()}});
      co_return;
    }
    ++self.handshakes_;
    self.server_.serve_connection(std::move(*secured));
  }

  SystemClock clock_;
  net::Loop loop_;
  std::unique_ptr<net::Resolver> resolver_;
  TransportClients clients_;
  gateway::Worker worker_;
  http::Server server_;
  std::shared_ptr<const net::TlsServerContext> tls_;
  Nanoseconds handshake_timeout_;
  uint64_t handshakes_ = 0;
  std::unique_ptr<net::Listener> listener_;
  std::thread thread_;
};

Result<std::unique_ptr<DataPlane>> DataPlane::start(
    const Options& options, std::shared_ptr<const gateway::Snapshot> first) {
  std::unique_ptr<DataPlane> plane(new DataPlane());
  auto address = net::Address::parse(options.server.listen.to_text());
  if (!address) return fail(std::move(address).error());
  net::ListenOptions listen;
  listen.address = *address;
  listen.max_connections = std::max<size_t>(options.server.limits.connections / options.workers, 1);
  for (uint32_t i = 0; i < options.workers; ++i) {
    plane->threads_.push_back(std::make_unique<WorkerThread>(i, options, first));
    WEIR_CHECK_OK(plane->threads_.back()->listen(listen));
    // The others share the port that the kernel picked for the first.
    listen.address = plane->threads_.front()->address();
  }
  for (const auto& thread : plane->threads_) thread->run();
  return plane;
}

DataPlane::~DataPlane() = default;

net::Address DataPlane::address() const {
  return threads_.front()->address();
}

void DataPlane::publish(std::shared_ptr<const gateway::Snapshot> snapshot) {
  for (const auto& thread : threads_) thread->publish(snapshot);
}

void DataPlane::publish_tls(std::shared_ptr<const net::TlsServerContext> tls) {
  for (const auto& thread : threads_) thread->publish_tls(tls);
}

void DataPlane::sample(net::Loop& loop, const OnSample& done) {
  for (size_t i = 0; i < threads_.size(); ++i) {
    threads_[i]->sample(loop,
                        [i, done](admin::WorkerSample sample) { done(i, std::move(sample)); });
  }
}

void DataPlane::collect(net::Loop& loop, const OnTraffic& done) {
  for (size_t i = 0; i < threads_.size(); ++i) threads_[i]->collect(loop, i, done);
}

void DataPlane::probe(const gateway::ProbeOrder& order) {
  threads_[next_prober_++ % threads_.size()]->probe(order);
}

void DataPlane::try_model(net::Loop& asker, std::shared_ptr<const gateway::Snapshot> snapshot,
                          const OnTrial& done) {
  threads_[next_prober_++ % threads_.size()]->try_model(asker, std::move(snapshot), done);
}

void DataPlane::publish_weights(std::shared_ptr<const gateway::WeightTable> table) {
  for (const auto& thread : threads_) thread->publish_weights(table);
}

void DataPlane::drain(net::Loop& loop, Milliseconds deadline, const std::function<void()>& done) {
  auto left = std::make_shared<size_t>(threads_.size());
  for (const auto& thread : threads_) {
    thread->drain(loop, deadline, [left, done] {
      if (--*left == 0) done();
    });
  }
}

}  // namespace weir::app
