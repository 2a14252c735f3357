// ServerSession: one HTTP/2 connection of a Server. Owns its streams; each runs its handler in a
// task of its own, so that a stream whose client reads slowly, or whose handler waits, holds up no
// other. Lives in the frame of the task that runs it.
//
// Limits: h2::Limits and the time-outs of ServerConfig, which count for a stream as they do for an
// HTTP/1.1 connection (idle_timeout: while no stream is open). Draining is in two steps (RFC 9113
// §6.8): a GOAWAY that stops new requests without refusing those on their way, then, a round trip
// or a second later, the one that names the last stream that is served.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "http/h2/fields.h"
#include "http/h2/session.h"
#include "http/server_core.h"
#include "net/timer.h"

namespace weir::http::h2 {

class ServerStream;

class ServerSession final : public ServerLink, private Session {
 public:
  ServerSession(ServerCore& core, std::unique_ptr<net::Stream> stream);
  ~ServerSession();

  // Serves until the connection ends; `already_read` is what was read of it before.
  net::Task<void> run(std::string_view already_read);
  void stop_when_idle() override;
  void cut() override;

 private:
  friend class ServerStream;

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

  void headers_complete(const nghttp2_frame& frame);
  net::Task<void> serve(ServerStream& stream);
  void close_streams();
  // Lets go of a stream that is closed and whose task has ended.
  void release(ServerStream& stream);
  ServerStream* find(int32_t stream_id);
  void send_goaway();
  void arm(net::Deadline deadline);
  void on_timer();

  std::string peer_;
  net::Timer timer_;
  // The deadlines of the connection itself; those of streams are theirs.
  net::Deadline first_settings_;              // for the preface and the first SETTINGS
  net::Deadline headers_ = net::kNoDeadline;  // for the rest of a header block
  net::Deadline idle_ = net::kNoDeadline;     // while no stream is open
  net::Deadline write_ = net::kNoDeadline;    // for the stream to take something
  net::Deadline goaway_ = net::kNoDeadline;   // for the second step of draining
  bool stopping_ = false;                     // the first step was taken
  uint64_t write_mark_ = 0;                   // bytes written when write_ was set

  HeaderBlock block_;
  int32_t block_stream_ = 0;  // whose block is being read
  bool block_trailers_ = false;
  std::vector<int32_t> begun_;  // whose handlers are to start
  std::unordered_map<int32_t, std::unique_ptr<ServerStream>> streams_;
  std::optional<net::TaskGroup> writer_;
  net::TaskGroup handlers_;  // last: the tasks refer to all of the above
};

}  // namespace weir::http::h2
