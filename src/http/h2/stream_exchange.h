// StreamExchange: one request of the client over HTTP/2, on a stream of a ClientSession.
//
// A stream that the provider has not processed (REFUSED_STREAM, or beyond the last one of a GOAWAY)
// is sent again on another connection, at most three times, as long as its body can be; so is,
// once, a request on a kept connection that turns out dead. Cancelling resets the stream and leaves
// the connection to the others.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/exchange.h"
#include "http/h2/client_session.h"

namespace weir::http::h2 {

class StreamExchange final : public ClientExchange {
 public:
  StreamExchange(ClientCore& core, ClientSessions& sessions, const Origin& origin,
                 const ClientRequest& request);
  ~StreamExchange() override;
  StreamExchange(const StreamExchange&) = delete;
  StreamExchange& operator=(const StreamExchange&) = delete;

  Nanoseconds connect_timeout() const { return connect_timeout_; }
  // Puts the request on that session, as far as it goes at once.
  void send_on(std::shared_ptr<ClientSession> session, bool reused);

  net::Task<Result<void>> write_body(std::string_view piece) override;
  net::Task<Result<void>> finish_body() override;
  net::Task<Result<const ResponseHead*>> response() override;
  net::Task<Result<std::string_view>> read_body() override;
  void cancel(Error error) override;
  const ClientTimes& times() const override { return times_; }
  bool reused() const override { return reused_; }
  bool retried() const override { return retried_; }
  bool maybe_stale() const override { return once_ && stale_; }
  std::string_view peer() const override { return peer_; }
  Result<Upgraded> take_upgraded() override;

 private:
  friend class ClientSession;

  // From the session, inside nghttp2.
  void take_headers(const HeaderBlock& block);
  void take_data(std::string_view bytes);
  void take_end();
  void take_reset() { reset_by_peer_ = true; }
  void closed(uint32_t error_code);
  void connection_lost();
  ssize_t give_data(std::span<uint8_t> into, uint32_t& flags);

  bool can_send_again() const;
  net::Task<Result<void>> send_again();
  net::Task<void> look_for_place();
  net::Task<Result<void>> send_streamed(std::string_view piece, bool last);
  bool refused_early() const { return have_head_ && head_.status >= 400; }
  std::optional<Result<std::string_view>> take_piece();
  // Ends the exchange with that error, unless another was first.
  void break_off(Error error);
  // Lets go of the stream; resets it when it is not closed.
  void leave(uint32_t error_code);

  ClientCore& core_;
  ClientSessions& sessions_;
  std::shared_ptr<ClientSession> session_;
  int32_t id_ = 0;  // 0: on no stream
  const Nanoseconds connect_timeout_;
  std::string peer_;
  ClientTimes times_;
  bool reused_ = false;
  bool retried_ = false;
  int sent_again_ = 0;
  std::optional<Error> error_;   // what every call fails with
  std::optional<Error> broken_;  // the same, behind what has come
  bool not_processed_ = false;   // the provider has not looked at it
  bool stale_ = false;           // the connection was dead before
  bool reset_by_peer_ = false;
  uint64_t read_mark_ = 0;  // bytes that the session had read when the request was put on it

  std::string method_;
  FieldList fields_;
  std::vector<std::string_view> body_;
  const bool streamed_;
  const bool once_;
  std::optional<uint64_t> streamed_left_;
  bool body_begun_ = false;
  bool last_queued_ = false;
  Outgoing out_;

  ResponseHead head_;
  std::string head_text_;
  bool have_head_ = false;
  int interim_ = 0;
  std::string in_;
  std::string piece_;
  bool in_ended_ = false;
  bool finished_ = false;

  net::Event event_;
  std::optional<Result<ClientSessions::Place>> place_;
  std::optional<net::TaskGroup> tasks_;  // last: the tasks refer to all of the above
};

}  // namespace weir::http::h2
