// ClientSession: one HTTP/2 connection to a provider, shared by the exchanges that run on it.
// ClientSessions: those of one origin, and how a request gets a place on one.
//
// A session is kept alive by its pool and by its exchanges. It takes no new streams once the
// provider has sent GOAWAY, or it has grown old; it then ends behind its last stream. While streams
// are open and nothing comes, pings find out whether the provider is still there.
//
// Limits: ClientConfig::http2 and what the provider allows. Requests that come while a connection
// is being opened wait for it, as far as it will carry them; a failure to open is told to all who
// wait. Where the provider agrees on HTTP/1.1, requests are handed its connections instead.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "http/client_pool.h"
#include "http/h2/fields.h"
#include "http/h2/session.h"

namespace weir::http::h2 {

class ClientSessions;
class StreamExchange;

class ClientSession final : private Session {
 public:
  ClientSession(ClientCore& core, ClientSessions& sessions, PooledStream connection);
  ~ClientSession() override;

  // Whether a request may be put on it.
  bool has_room() const;
  bool unused() const { return streams_.empty(); }
  // Takes no new streams; ends now, or behind the last.
  void retire();
  const std::string& peer() const { return peer_; }
  uint64_t bytes_read() const { return stream_->bytes_read(); }

 private:
  friend class StreamExchange;
  friend class ClientSessions;
  struct EndedWakeup : net::Wakeup {
    explicit EndedWakeup(ClientSession& its_owner) : Wakeup(&tell), owner(its_owner) {}
    static void tell(net::Wakeup& node);
    ClientSession& owner;
  };

  // For exchanges. 0 when the session takes no more.
  int32_t submit(StreamExchange& exchange, std::span<const nghttp2_nv> fields, bool with_body);
  void forget(int32_t stream_id);
  // The provider took fewer streams than it let us expect.
  void refused();

  net::Task<void> run();
  StreamExchange* find(int32_t stream_id);
  void now_idle();
  void arm(net::Deadline deadline);
  void on_timer();

  void on_begin_headers(const nghttp2_frame& frame) override;
  bool on_header(const nghttp2_frame& frame, std::string_view name, std::string_view value,
                 bool valid) override;
  void on_data(int32_t stream_id, std::string_view bytes) override;
  void on_frame(const nghttp2_frame& frame) override;
  void on_stream_closed(int32_t stream_id, uint32_t error_code) override;
  void on_invalid_frame(const nghttp2_frame& frame) override;
  void on_not_sent(const nghttp2_frame& frame, int error) override;
  ssize_t on_take_data(int32_t stream_id, std::span<uint8_t> into, uint32_t& flags) override;
  void after_frames() override;
  void on_ended() override;
  void on_blocked(bool blocked) override;

  ClientCore& core_;
  ClientSessions& sessions_;
  const Nanoseconds opened_;
  std::string peer_;
  size_t streams_max_;
  std::unordered_map<int32_t, StreamExchange*> streams_;
  HeaderBlock block_;
  bool retired_ = false;
  bool dead_ = false;
  bool counted_idle_ = false;

  net::Timer timer_;
  net::Deadline idle_ = net::kNoDeadline;  // while no stream is open
  net::Deadline ping_ = net::kNoDeadline;  // for a ping, or for its answer
  bool ping_sent_ = false;
  uint64_t ping_mark_ = 0;  // bytes read when ping_ was set

  EndedWakeup ended_;
  net::TaskGroup tasks_;  // last: the tasks refer to all of the above
};

class ClientSessions {
 public:
  ClientSessions(ClientCore& core, ClientPool& pool);
  ~ClientSessions();
  ClientSessions(const ClientSessions&) = delete;
  ClientSessions& operator=(const ClientSessions&) = delete;

  // What a request is to run on: a session, or a connection of HTTP/1.1.
  struct Place {
    std::shared_ptr<ClientSession> session;
    std::optional<PooledStream> http1;
    bool reused = false;
  };
  net::Task<Result<Place>> acquire(Nanoseconds connect_timeout);
  // A connection of HTTP/1.1 that acquire() gave and nobody can use.
  void give_back(PooledStream connection) { pool_.give_back(std::move(connection)); }
  void close_idle();

 private:
  friend class ClientSession;
  // A connection being opened, and who waits for it.
  struct Dial {
    explicit Dial(net::Loop& loop) : done(loop) {}
    net::Event done;
    std::optional<Error> error;
    size_t waiting = 0;
  };

  net::Task<void> dial(std::shared_ptr<Dial> made, net::Deadline deadline);
  void remove(ClientSession& session);

  ClientCore& core_;
  ClientPool& pool_;
  bool http1_ = false;  // what the provider agreed on last
  std::vector<std::shared_ptr<ClientSession>> all_;
  std::vector<std::shared_ptr<Dial>> dialling_;
  net::TaskGroup dials_;  // last: the tasks refer to all of the above
};

}  // namespace weir::http::h2
