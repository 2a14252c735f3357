#include "http/server.h"

#include <utility>
#include <vector>

#include "http/h2/server_session.h"
#include "http/server_connection.h"
#include "net/tcp.h"
#include "net/tls.h"

namespace weir::http {

class Server::Impl {
 public:
  Impl(net::Loop& loop, ServerConfig config, Handler handler, ErrorBody error_body)
      : core(loop, config, std::move(handler), std::move(error_body)), tasks_(loop) {}

  void listen(std::unique_ptr<net::Listener> listener,
              std::shared_ptr<const net::TlsServerContext> tls) {
    listener->start([this, tls = std::move(tls)](std::unique_ptr<net::Stream> stream) {
      serve(std::move(stream), tls);
    });
    listeners_.push_back(std::move(listener));
  }

  void serve(std::unique_ptr<net::Stream> stream,
             std::shared_ptr<const net::TlsServerContext> tls) {
    if (core.draining || tasks_.size() >= core.config.connections_max) {
      ++core.counters.connections_refused;
      return;
    }
    tasks_.spawn(run(*this, std::move(stream), std::move(tls)));
  }

  net::Task<void> drain(Nanoseconds limit) {
    core.draining = true;
    for (auto& listener : listeners_) listener->stop();
    for (auto* open = core.first; open != nullptr; open = open->next_open()) {
      open->stop_when_idle();
    }
    if (co_await core.none_open.wait_for(limit)) co_return;
    for (auto* open = core.first; open != nullptr;) {
      auto* next = open->next_open();
      open->cut();
      open = next;
    }
    if (!co_await core.none_open.wait_for(kWindUp)) tasks_.destroy_all();
  }

  ServerCore core;

 private:
  // What handlers get to end in after their connections were cut.
  static constexpr Nanoseconds kWindUp = std::chrono::seconds(1);

  static net::Task<void> run(Impl& self, std::unique_ptr<net::Stream> stream,
                             std::shared_ptr<const net::TlsServerContext> tls) {
    if (tls) {
      const net::Deadline deadline = self.core.loop.deadline_in(self.core.config.head_timeout);
      auto secured = co_await net::tls_accept(std::move(stream), std::move(tls), deadline);
      if (!secured) {
        ++self.core.counters.tls_failures;
        co_return;
      }
      stream = std::move(*secured);
    }
    ++self.core.counters.connections;
    std::string already_read;
    if (stream->negotiated_protocol() != "h2") {
      ServerConnection connection(self.core, std::move(stream));
      std::optional<Upgraded> preface = co_await connection.run();
      if (!preface) co_return;
      stream = std::move(preface->stream);
      already_read = std::move(preface->already_read);
    }
    h2::ServerSession session(self.core, std::move(stream));
    co_await session.run(already_read);
  }

  std::vector<std::unique_ptr<net::Listener>> listeners_;
  net::TaskGroup tasks_;  // last: its frames refer to the core
};

Server::Server(net::Loop& loop, ServerConfig config, Handler handler, ErrorBody error_body)
    : impl_(std::make_unique<Impl>(loop, config, std::move(handler), std::move(error_body))) {}
Server::~Server() = default;

void Server::listen(std::unique_ptr<net::Listener> listener,
                    std::shared_ptr<const net::TlsServerContext> tls) {
  impl_->listen(std::move(listener), std::move(tls));
}
void Server::serve_connection(std::unique_ptr<net::Stream> stream) {
  impl_->serve(std::move(stream), nullptr);
}
net::Task<void> Server::drain(Nanoseconds deadline) {
  return impl_->drain(deadline);
}
bool Server::draining() const {
  return impl_->core.draining;
}
const ServerCounters& Server::counters() const {
  return impl_->core.counters;
}

}  // namespace weir::http
