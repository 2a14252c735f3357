// The fixture of the HTTP/2 server's tests: what the client says is written frame by frame.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/h2/test_wire.h"
#include "http/server_fixture.h"

namespace weir::http::h2 {

// What came back on one stream.
struct Answered {
  std::string status;
  wire::Fields fields;
  std::string body;
  bool ended = false;
  std::optional<uint32_t> reset;
};

// A client's connection with all that came over it.
struct H2Peer {
  Peer raw;
  wire::Reader reader;
  std::vector<wire::Frame> frames;
  std::map<uint32_t, Answered> streams;
  std::vector<wire::Frame> goaways;
};

class H2ServerTest : public ServerTest {
 protected:
  std::unique_ptr<H2Peer> open(net::MemoryOptions options = {},
                               const std::string& settings = wire::settings()) {
    auto peer = std::make_unique<H2Peer>();
    peer->raw = connect(options);
    say(*peer, std::string(wire::kPreface) + settings);
    say(*peer, wire::settings_ack());
    return peer;
  }

  void read(H2Peer& peer) {
    peer.raw.received.clear();
    receive(peer.raw);
    for (wire::Frame& frame : peer.reader.take(peer.raw.received)) {
      Answered& stream = peer.streams[frame.stream];
      if (frame.type == NGHTTP2_HEADERS) {
        stream.status = frame.field(":status");
        stream.fields = frame.fields;
      }
      if (frame.type == NGHTTP2_DATA) stream.body += frame.payload;
      if (frame.ends_stream()) stream.ended = true;
      if (frame.type == NGHTTP2_RST_STREAM) stream.reset = frame.error_code();
      if (frame.type == NGHTTP2_GOAWAY) peer.goaways.push_back(frame);
      peer.frames.push_back(std::move(frame));
    }
  }

  // Sends, then takes in what the server says to it.
  void say(H2Peer& peer, std::string_view bytes) {
    send(peer.raw, bytes);
    read(peer);
  }

  const Counters& h2() const { return server_->counters().h2; }
  uint64_t faults(Fault fault) const { return h2().faults[static_cast<size_t>(fault)]; }
};

}  // namespace weir::http::h2
