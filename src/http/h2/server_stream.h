// ServerStream: one request of an HTTP/2 connection, as its handler sees it. Owned by its session,
// until the stream is closed and the handler has ended.
//
// The request's body is held as it comes, up to the stream's window, which is opened again only as
// the handler reads. What the handler writes is lent to the session until it fits on the wire: the
// client's windows and the connection hold the handler back. Reading and writing are independent of
// each other: one coroutine may do each at the same time, as in a call of gRPC that streams both
// ways.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "http/exchange.h"
#include "http/h2/server_session.h"

namespace weir::http::h2 {

class ServerStream final : public ServerExchange {
 public:
  ServerStream(ServerSession& session, int32_t id);
  ~ServerStream() override;
  ServerStream(const ServerStream&) = delete;
  ServerStream& operator=(const ServerStream&) = delete;

  const RequestHead& head() const override { return head_; }
  std::string_view peer() const override { return session_.peer_; }
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
  // Refused: no client asks for it (RFC 8441 is not offered).
  net::Task<Result<Upgraded>> upgrade(const ResponseHead& head) override;

 private:
  friend class ServerSession;
  enum class Reply : uint8_t { none, held, streaming, done };  // held: begun, head not sent
  struct GoneWakeup : net::Wakeup {
    explicit GoneWakeup(ServerStream& its_owner) : Wakeup(&tell), owner(its_owner) {}
    static void tell(net::Wakeup& node);
    ServerStream& owner;
  };

  // From the session, inside nghttp2.
  void take_head(const HeadOutcome& outcome, bool ended);
  void take_data(std::string_view bytes);
  void take_end();
  void close(uint32_t error_code);
  void timer_due(Nanoseconds now);
  net::Deadline next_deadline() const;

  // Around the handler.
  net::Task<void> run();
  net::Task<void> refuse(int status);
  void settle();
  void discard_body();

  std::optional<Result<std::string_view>> take_piece();
  void submit_head(bool with_body);
  void submit_trailers();
  Result<void> check_write(uint64_t size);
  net::Task<Result<void>> send();
  void note_gone();
  void set_body_deadline();
  void set_write_deadline();

  ServerSession& session_;
  const int32_t id_;
  Nanoseconds started_{0};
  std::string head_text_;
  RequestHead head_;
  int refuse_status_ = 0;  // the head was not accepted

  bool served_ = false;   // its task has not ended
  bool running_ = false;  // its handler has not
  bool closed_ = false;   // the stream is, for nghttp2
  bool gone_ = false;
  bool aborted_ = false;
  std::function<void()> gone_callback_;
  GoneWakeup gone_wakeup_;

  // The request's body.
  std::string in_;     // come, not handed out
  std::string piece_;  // handed out
  uint64_t arrived_ = 0;
  uint64_t handed_ = 0;
  uint64_t body_limit_ = 0;
  bool in_ended_ = false;
  bool discarding_ = false;  // nobody reads it any more
  bool reading_ = false;     // the handler waits for it
  std::optional<Error> body_error_;
  net::Event in_event_;
  net::Deadline read_deadline_ = net::kNoDeadline;
  uint64_t read_mark_ = 0;

  // The answer.
  Reply reply_ = Reply::none;
  Framing reply_framing_;
  uint64_t reply_left_ = 0;
  FieldList fields_;
  Outgoing out_;
  net::Event out_event_;
  net::Deadline write_deadline_ = net::kNoDeadline;
  uint64_t write_mark_ = 0;
};

}  // namespace weir::http::h2
