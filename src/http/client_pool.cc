#include "http/client_pool.h"

#include <algorithm>
#include <utility>

namespace weir::http {

namespace {

// Counts one opening connection out again unless it came to be, whatever ends the coroutine.
class Opening {
 public:
  explicit Opening(ClientPool& pool) : pool_(&pool) {}
  Opening(const Opening&) = delete;
  Opening& operator=(const Opening&) = delete;
  ~Opening() {
    if (pool_ != nullptr) pool_->release();
  }
  void done() { pool_ = nullptr; }

 private:
  ClientPool* pool_;
};

}  // namespace

ClientPool::ClientPool(ClientCore& core, Origin origin)
    : core_(core), origin_(std::move(origin)), expiry_(core.loop, [this] { expire(); }) {}

ClientPool::~ClientPool() {
  close_idle();
}

std::optional<PooledStream> ClientPool::take_idle() {
  while (!idle_.empty()) {
    PooledStream connection = std::move(idle_.back().connection);
    idle_.pop_back();
    --core_.counters.idle;
    connection.stream->on_hangup({});
    // Anything but silence means that the provider ended it, or sent what nobody asked for.
    char byte;
    const net::IoResult io = connection.stream->try_read(std::span(&byte, 1));
    if (io.status == net::IoStatus::would_block) return connection;
    if (io.status == net::IoStatus::ok) ++core_.counters.poisoned;
    discard(std::move(connection));
  }
  return std::nullopt;
}

net::Task<Result<PooledStream>> ClientPool::open(net::Deadline deadline) {
  if (open_ >= core_.config.connections_per_origin_max) {
    ++core_.counters.refused_by_limit;
    co_return fail(ErrorCode::limit_exceeded,
                   "all connections that " + host_field(origin_) + " may have are in use");
  }
  ++open_;
  ++core_.counters.open;
  Opening opening(*this);
  auto stream = co_await core_.dialer.dial(origin_, deadline);
  if (!stream) {
    ++core_.counters.connect_failures;
    co_return fail(std::move(stream.error()));
  }
  opening.done();
  ++core_.counters.connections_opened;
  co_return PooledStream{std::move(*stream), core_.loop.now()};
}

void ClientPool::give_back(PooledStream connection) {
  const bool old = core_.loop.now() - connection.opened >= core_.config.age_max;
  if (old || core_.config.idle_per_origin_max == 0) return discard(std::move(connection));
  if (idle_.size() >= core_.config.idle_per_origin_max) {
    // The longest idle makes room: it is the likeliest to be closed by the provider next.
    discard(std::move(idle_.front().connection));
    idle_.erase(idle_.begin());
    --core_.counters.idle;
  }
  connection.stream->on_hangup([this, stream = connection.stream.get()] { drop(stream); });
  idle_.push_back({std::move(connection), core_.loop.now()});
  ++core_.counters.idle;
  if (!expiry_.armed()) expiry_.arm(core_.config.idle_timeout);
}

void ClientPool::discard(PooledStream connection) {
  connection.stream->close();
  release();
}

void ClientPool::release() {
  --open_;
  --core_.counters.open;
}

void ClientPool::close_idle() {
  while (!idle_.empty()) {
    discard(std::move(idle_.back().connection));
    idle_.pop_back();
    --core_.counters.idle;
  }
  expiry_.cancel();
}

void ClientPool::drop(const net::Stream* stream) {
  const auto found = std::ranges::find_if(
      idle_, [&](const Idle& idle) { return idle.connection.stream.get() == stream; });
  if (found == idle_.end()) return;
  PooledStream connection = std::move(found->connection);
  idle_.erase(found);
  --core_.counters.idle;
  discard(std::move(connection));
}

void ClientPool::expire() {
  const Nanoseconds now = core_.loop.now();
  size_t expired = 0;
  while (expired < idle_.size() && now - idle_[expired].since >= core_.config.idle_timeout) {
    discard(std::move(idle_[expired].connection));
    ++expired;
  }
  idle_.erase(idle_.begin(), idle_.begin() + static_cast<std::ptrdiff_t>(expired));
  core_.counters.idle -= expired;
  core_.counters.expired_idle += expired;
  if (!idle_.empty()) expiry_.arm_at(idle_.front().since + core_.config.idle_timeout);
}

}  // namespace weir::http
