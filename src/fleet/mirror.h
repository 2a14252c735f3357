// Mirror: the primary's end of a standby. Everything that changes the fleet, samples and closed
// seconds included, goes to the standby as one ordered stream of ops in POSTs; the standby does the
// same to its fleet and so holds the same tables. Where the standby missed something, or is new, it
// says 409 and gets a snapshot first. The other end is in api_mirror.cc. Limits: kWaitingMost bytes
// on their way; beyond, they are dropped, counted, and the standby gets a snapshot. One thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/secret.h"
#include "fleet/fleet.h"
#include "fleet/ops.h"
#include "http/client.h"
#include "net/loop.h"

namespace weir::fleet {

inline constexpr std::string_view kMirrorType = "application/vnd.weir.ops";
// "WFO1", id of the stream, offset of the first byte behind this head.
inline constexpr size_t kMirrorHeadBytes = 20;

struct MirrorOptions {
  http::Origin origin;
  std::string prefix;  // of paths
  Secret token;
};

struct MirrorStats {
  uint64_t sent_bytes = 0;
  uint64_t posts = 0;
  uint64_t failures = 0;   // posts that were not answered, or with an error
  uint64_t snapshots = 0;  // sent because the standby had missed something
  uint64_t dropped_bytes = 0;
  bool in_step = false;
};

class Mirror {
 public:
  static constexpr size_t kWaitingMost = size_t{64} << 20;
  static constexpr size_t kPostMost = size_t{8} << 20;

  // All outlive the mirror. `stream_id` is new for each start.
  Mirror(net::Loop& loop, http::Client& client, Fleet& fleet, MirrorOptions options,
         uint64_t stream_id);

  Observer& observer() { return writer_; }
  // Sends in the background, until it is destroyed.
  void start();
  // After a second was closed: what is there goes out.
  void flush();
  const MirrorStats& stats() const { return stats_; }

 private:
  net::Task<void> run();
  net::Task<int> post(std::string_view method, std::string_view bytes, uint64_t offset);
  void collect();

  net::Loop& loop_;
  http::Client& client_;
  Fleet& fleet_;
  MirrorOptions options_;
  uint64_t stream_id_;
  OpWriter writer_{true};
  std::string waiting_;  // not yet acknowledged
  uint64_t offset_ = 0;  // of the first byte of waiting_
  bool needs_snapshot_ = true;
  MirrorStats stats_;
  net::Event wake_;
  net::TaskGroup tasks_;
};

}  // namespace weir::fleet
