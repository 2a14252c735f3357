// Http1ClientExchange: one request of the HTTP/1.1 client and its response. Owns its connection
// while it runs; the pool gets it back when the response was read to a clean end.
//
// Sending and receiving overlap: what the kernel does not take at once is sent by a task of the
// exchange, so that a provider that answers early, or reads only while it is read from, is served.
// The response's head is copied (views in it stay); a read buffer is held only while unread bytes
// are in it.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/body.h"
#include "http/client_pool.h"
#include "http/exchange.h"
#include "http/pending_write.h"
#include "http/read_buffer.h"

namespace weir::http {

class Http1ClientExchange final : public ClientExchange {
 public:
  Http1ClientExchange(ClientCore& core, ClientPool& pool, const ClientRequest& request);
  ~Http1ClientExchange() override;
  Http1ClientExchange(const Http1ClientExchange&) = delete;
  Http1ClientExchange& operator=(const Http1ClientExchange&) = delete;

  // Puts the request on that connection, as far as it goes at once.
  void send_on(PooledStream connection, bool reused);
  Nanoseconds connect_timeout() const { return connect_timeout_; }

  net::Task<Result<void>> write_body(std::string_view piece) override;
  net::Task<Result<void>> finish_body() override;
  net::Task<Result<const ResponseHead*>> response() override;
  net::Task<Result<std::string_view>> read_body() override;
  void cancel(Error error) override;
  const ClientTimes& times() const override { return times_; }
  bool reused() const override { return reused_; }
  bool retried() const override { return retried_; }
  bool maybe_stale() const override { return maybe_stale_; }
  std::string_view peer() const override { return peer_; }
  Result<Upgraded> take_upgraded() override;

 private:
  enum class Sending : uint8_t {
    open,     // a streamed body goes on
    pending,  // the rest of what is queued is on its way
    sent,     // all of the request has left
    stopped,  // given up: the provider refused it, or has answered without it
    broken,   // the connection takes nothing more; what was answered can still be read
  };

  // What a step that does not wait came to.
  enum class Take : uint8_t { done, wait, stale, failed };

  // Sending.
  void push_queue();
  void queue_is_out();
  net::Task<void> pump();
  void stop_sending();
  net::Task<Result<void>> send_streamed(std::string_view piece, bool last);
  net::Task<void> watch_for_early_response();
  std::string_view method() const {
    return std::string_view(request_head_).substr(0, method_size_);
  }
  bool refused_early() const { return have_head_ && head_.status >= 400; }

  // Receiving.
  Take take_head();
  Take parse_head();
  void accept_head(size_t consumed);
  Take head_read_failed(net::IoResult io);
  net::Task<Result<void>> send_again();
  net::Task<void> redial();
  std::optional<Result<std::string_view>> take_piece();
  Result<std::string_view> body_read_failed(net::IoResult io);
  void finish_response();
  // Closes the connection; every later call fails with error_, which is this unless one was first.
  void break_off(Error error);

  ClientCore& core_;
  ClientPool& pool_;
  PooledStream connection_;
  const Nanoseconds connect_timeout_;
  std::string peer_;
  ClientTimes times_;
  bool reused_ = false;
  bool retried_ = false;
  bool maybe_stale_ = false;
  std::optional<Error> error_;  // broken off or cancelled

  std::string request_head_;
  size_t method_size_ = 0;
  std::vector<std::string_view> body_;
  const bool streamed_;
  const bool once_;
  const bool chunked_;
  std::optional<uint64_t> streamed_left_;  // of a streamed body whose length was given
  bool body_begun_ = false;  // write_body or finish_body was called: it cannot be sent again
  Sending sending_ = Sending::open;
  bool last_queued_ = false;  // the queue ends the request
  PendingWrite pending_;
  std::array<char, kChunkPrefixMax> chunk_room_{};

  ReadBuffer buffer_;
  ResponseHead head_;
  std::string head_text_;
  bool have_head_ = false;
  bool parse_next_ = false;
  bool got_bytes_ = false;
  int interim_ = 0;  // 1xx heads skipped
  BodyDecoder decoder_;
  bool finished_ = false;

  // Set when the pump is done, an early response came, or the exchange broke.
  net::Event event_;
  std::optional<Result<PooledStream>> redialled_;
  std::optional<net::TaskGroup> early_tasks_;
  std::optional<net::TaskGroup> sending_tasks_;  // last: the tasks refer to all of the above
};

}  // namespace weir::http
