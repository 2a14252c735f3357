// ServerConnection: one HTTP/1.1 connection of a Server, and at the same time the exchange its
// handler sees, renewed for each request. Lives in the frame of the task that runs it; the server
// keeps it in a list for draining.
//
// Between requests it holds no read buffer. While a handler runs it holds a copy of the head (the
// views in head() point there) and a buffer only while unread body or a pipelined request is in it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "http/body.h"
#include "http/exchange.h"
#include "http/pending_write.h"
#include "http/read_buffer.h"
#include "http/response_text.h"
#include "http/server_core.h"
#include "net/timer.h"
#include "net/wakeup.h"

namespace weir::http {

class ServerConnection final : public ServerExchange, public ServerLink {
 public:
  ServerConnection(ServerCore& core, std::unique_ptr<net::Stream> stream);
  ~ServerConnection() override;
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  // Serves requests until the connection ends. What it gives back, if anything, is a connection
  // that began with HTTP/2's preface, with what was read of it.
  net::Task<std::optional<Upgraded>> run();
  void stop_when_idle() override;
  void cut() override;

  const RequestHead& head() const override { return head_; }
  std::string_view peer() const override { return peer_; }
  KeptHash* kept_hash() override { return &kept_hash_; }
  Nanoseconds started() const override { return started_; }
  std::optional<uint64_t> content_length() const override;
  uint64_t body_limit() const override { return body_limit_; }
  void set_body_limit(uint64_t bytes) override { body_limit_ = bytes; }
  net::Task<Result<std::string_view>> read_body() override;
  net::Task<Result<void>> respond(const ResponseHead& head, std::string_view body) override;
  net::Task<Result<void>> begin(const ResponseHead& head) override;
  net::Task<Result<void>> write(std::span<const std::string_view> pieces) override;
  net::Task<Result<void>> write(std::string_view piece) override;
  net::Task<Result<void>> finish() override;
  net::Task<Result<void>> finish(const HeaderList& trailers) override;
  net::Task<Result<void>> flush_head() override;
  bool response_started() const override { return reply_ != Reply::none; }
  void abort() override;
  void on_client_gone(std::function<void()> callback) override;
  bool client_gone() const override { return gone_; }
  net::Task<Result<Upgraded>> upgrade(const ResponseHead& head) override;

 private:
  enum class HeadStep : uint8_t { request, wait, refuse, close, http2 };
  enum class Reply : uint8_t { none, held, streaming, done };  // held: begun, head not sent
  enum class ReadPhase : uint8_t { none, idle, head, body, linger };
  struct GoneWakeup : net::Wakeup {
    explicit GoneWakeup(ServerConnection& its_owner) : Wakeup(&tell), owner(its_owner) {}
    static void tell(net::Wakeup& node);
    ServerConnection& owner;
  };

  // Reading a head; none of these waits.
  HeadStep take_head();
  HeadStep head_wait_failed(const Error& error);
  // Whether what is buffered begins HTTP/2's preface, or is it.
  bool begins_http2() const;
  void accept_head(size_t consumed);

  void start_request();
  // True when the request ended so plainly that the next can be read at once.
  bool settled();
  // Ends the request otherwise; true when the connection can go on.
  net::Task<bool> settle();
  net::Task<void> refuse(int status);
  net::Task<void> farewell();
  net::Task<void> linger();

  // The next piece of what is buffered, or nullopt when more must be read.
  std::optional<Result<std::string_view>> take_body();
  Result<void> body_read_failed(net::IoResult io);

  void write_head(const ResponseHead& head, const Framing& framing);
  bool will_close() const;
  void add_pieces(std::span<const std::string_view> pieces, uint64_t size);
  Result<void> check_write(uint64_t size);
  net::Task<Result<void>> push_rest();
  net::Task<Result<void>> end_reply(std::string_view last_chunk);
  Result<void> write_failed();

  void note_gone();
  void set_read_deadline(ReadPhase phase, Nanoseconds after);
  void clear_read_deadline() { read_phase_ = ReadPhase::none; }
  void set_body_deadline();
  void set_write_deadline();
  void arm(net::Deadline deadline);
  void on_timer();

  std::unique_ptr<net::Stream> stream_;
  std::string peer_;
  ReadBuffer buffer_;
  PendingWrite pending_;
  net::Timer timer_;
  GoneWakeup gone_wakeup_;

  ReadPhase read_phase_ = ReadPhase::none;
  net::Deadline read_deadline_ = net::kNoDeadline;
  net::Deadline write_deadline_ = net::kNoDeadline;
  uint64_t read_mark_ = 0;   // bytes read when the body's deadline was set
  uint64_t write_mark_ = 0;  // bytes written when the write's deadline was set

  RequestHead head_;
  std::string head_text_;
  KeptHash kept_hash_;
  Nanoseconds started_{0};
  int refuse_status_ = 0;
  bool parse_next_ = false;  // what is buffered may hold a whole head
  bool first_ = true;        // no head has been read
  bool running_ = false;     // a handler runs
  bool keep_alive_ = true;
  bool gone_ = false;
  bool aborted_ = false;
  bool continue_due_ = false;  // the client waits for "100 Continue"
  bool body_waited_ = false;   // the body did not come with the head
  bool body_failed_ = false;
  std::function<void()> gone_callback_;

  BodyDecoder decoder_;
  uint64_t body_limit_ = 0;

  Reply reply_ = Reply::none;
  Framing reply_framing_;
  uint64_t reply_left_ = 0;  // bytes still to come of a reply with a length
  std::string out_head_;
  std::string last_chunk_;  // with trailers
  char chunk_room_[kChunkPrefixMax];
};

}  // namespace weir::http
